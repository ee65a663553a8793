package suite

import "regexp"

// Pages makes the scripts with which the suite's own browser acts as a user at the OP. The suite runs the first script
// whose Match fits the URL that a module requests. A task runs if its Match fits the URL of the current page. A Match
// is compared with the whole URL. Each Match begins with an origin, because the query of a URL may contain other URLs.
type Pages struct {
	Suite  string // the suite's origin
	Issuer string // of the OP
	User   User
}

// Script has the tasks of one visit.
type Script struct {
	Match string `json:"match"`
	Limit int    `json:"match-limit,omitempty"` // the script runs at most so many times; 0: no limit
	Tasks []Task `json:"tasks"`
}

// Task has the commands for one page.
type Task struct {
	Task     string  `json:"task"`
	Match    string  `json:"match,omitempty"`
	Optional bool    `json:"optional,omitempty"` // without it, the module fails if the page does not match
	Commands [][]any `json:"commands,omitempty"`
}

// Standard returns the scripts of the modules in which the OP redirects the browser back to the suite.
func (p Pages) Standard() []Script { return []Script{p.authorize(), p.endSession(), p.sessionFrames()} }

// Overrides returns the scripts of the modules that end on a page of the OP. Each script waits for a text that only
// that page has, and uploads the page as the screenshot that the module asks for.
func (p Pages) Overrides() map[string]any {
	scripts := map[string][]Script{}
	for _, module := range []string{"oidcc-prompt-login", "oidcc-max-age-1"} {
		firstVisit := p.authorize()
		firstVisit.Limit = 1
		scripts[module] = []Script{firstVisit, p.authorizeAgain()}
	}
	for _, module := range []string{
		"oidcc-ensure-registered-redirect-uri",
		"oidcc-ensure-redirect-uri-in-authorization-request",
		"oidcc-redirect-uri-query-mismatch",
		"oidcc-redirect-uri-query-added",
	} {
		scripts[module] = []Script{p.show("/authorize*", element{"id", "error-description", "redirect_uri"})}
	}
	for module, shown := range map[string]element{
		"oidcc-registration-logo-uri":   {"xpath", "//img[@alt='logo']/..", "Sign in"},
		"oidcc-registration-policy-uri": {"id", "policy", "privacy policy"},
		"oidcc-registration-tos-uri":    {"id", "tos", "terms of service"},
	} {
		scripts[module] = []Script{p.show("/authorize*", shown)}
	}
	for module, text := range map[string]string{
		"bad-post-logout-redirect-uri":            "post_logout_redirect_uri",
		"query-added-to-post-logout-redirect-uri": "post_logout_redirect_uri",
		"modified-id-token-hint":                  "id_token_hint",
		"bad-id-token-hint":                       "id_token_hint",
	} {
		scripts["oidcc-rp-initiated-logout-"+module] = []Script{
			p.authorize(),
			p.show("/end_session*", element{"id", "error-description", text}),
		}
	}
	for _, module := range []string{"no-id-token-hint", "no-params", "no-post-logout-redirect-uri", "only-state"} {
		confirmAndShow := p.show("/end_session*", element{"id", "signed-out", "signed out"})
		confirmAndShow.Tasks = append([]Task{p.confirm()}, confirmAndShow.Tasks...)
		scripts["oidcc-rp-initiated-logout-"+module] = []Script{p.authorize(), confirmAndShow}
	}
	overrides := map[string]any{}
	for module, entries := range scripts {
		overrides[module] = map[string]any{"browser": entries}
	}
	return overrides
}

// waitSeconds is how long a command waits for an element of a page.
const waitSeconds = 10

// element is an element of a page and a text in it.
type element struct {
	by    string // how the element is found: "id" or "xpath"
	value string // the id or the XPath expression
	text  string
}

// authorize signs in and consents if the OP asks for it, and ends at the suite's callback.
func (p Pages) authorize() Script {
	return Script{
		Match: p.Issuer + "/authorize*",
		Tasks: []Task{
			{
				Task:     "Login",
				Match:    p.Issuer + "/login/*",
				Optional: true,
				Commands: p.login(),
			},
			{
				Task:     "Consent",
				Match:    p.Issuer + "/consent/*",
				Optional: true,
				Commands: [][]any{{"click", "id", "allow"}},
			},
			{
				// The error page of a client that registered itself has a link to the client.
				Task:     "Error",
				Match:    p.Issuer + "/authorize*",
				Optional: true,
				Commands: [][]any{{"click", "id", "error-app"}},
			},
			{
				Task:     "Verify Complete",
				Match:    p.Suite + "/test/*/callback*",
				Commands: [][]any{{"wait", "id", "submission_complete", waitSeconds}},
			},
		},
	}
}

// authorizeAgain returns the script of a visit that must show the sign-in page. The script uploads that page as the
// module's screenshot.
func (p Pages) authorizeAgain() Script {
	s := p.authorize()
	s.Tasks[0].Optional = false
	s.Tasks[0].Commands = append(
		[][]any{{"wait", "xpath", "//h1", waitSeconds, "Sign in", "update-image-placeholder"}},
		s.Tasks[0].Commands...)
	return s
}

// login returns the commands for the sign-in page. They leave the user name alone if the page asks for the password
// only.
func (p Pages) login() [][]any {
	return [][]any{
		{"text", "xpath", "//input[@id='username' and not(@readonly)]", p.User.Username, "optional"},
		{"text", "id", "password", p.User.Password},
		{"click", "id", "sign-in"},
	}
}

// endSession confirms the sign-out if the OP asks for it, and waits until the OP redirects to the suite.
func (p Pages) endSession() Script {
	return Script{
		Match: p.Issuer + "/end_session*",
		Tasks: []Task{
			p.confirm(),
			{
				Task: "Leave",
				Commands: [][]any{{
					"wait",
					"match",
					"^" + regexp.QuoteMeta(p.Suite) + "/test/.*/post_logout_redirect",
					20,
				}},
			},
			{Task: "Verify Complete", Match: p.Suite + "/test/*/post_logout_redirect*"},
		},
	}
}

func (p Pages) confirm() Task {
	return Task{
		Task:     "Confirm",
		Match:    p.Issuer + "/end_session*",
		Optional: true,
		Commands: [][]any{{"click", "id", "sign-out", "optional"}},
	}
}

// sessionFrames waits while the suite's page queries the OP's check_session_iframe.
func (p Pages) sessionFrames() Script {
	return Script{
		Match: p.Suite + "/*session_verify",
		Tasks: []Task{
			{Task: "Frames", Commands: [][]any{{"wait", "contains", "session_result", waitSeconds}}},
		},
	}
}

// show waits until the page has the element with its text, and uploads the page as the module's screenshot.
func (p Pages) show(path string, e element) Script {
	wait := []any{"wait", e.by, e.value, waitSeconds, e.text, "update-image-placeholder"}
	return Script{
		Match: p.Issuer + path,
		Tasks: []Task{{Task: "Show", Commands: [][]any{wait}}},
	}
}
