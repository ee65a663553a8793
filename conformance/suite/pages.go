package suite

import "regexp"

// Pages makes the scripts by which the suite's own browser acts as a user at the OP. The suite runs the first script
// whose Match fits the URL that a module requests; a task runs if its Match fits the URL of the current page. A Match
// is compared with the whole URL, whose query may have other URLs, so each Match begins with an origin.
type Pages struct {
	Suite  string // the suite's origin
	Issuer string // the OP's
	User   User
}

// Script has the tasks of one visit.
type Script struct {
	Match string `json:"match"`
	Limit int    `json:"match-limit,omitempty"` // how often it runs at most; 0: no limit
	Tasks []Task `json:"tasks"`
}

// Task has the commands for one page.
type Task struct {
	Task     string  `json:"task"`
	Match    string  `json:"match,omitempty"`
	Optional bool    `json:"optional,omitempty"` // without it, the module fails if the page does not match
	Commands [][]any `json:"commands,omitempty"`
}

// Standard returns the scripts of the modules that end at the suite.
func (p Pages) Standard() []Script { return []Script{p.authorize(), p.endSession(), p.sessionFrames()} }

// Overrides returns the scripts of the modules that end on a page of the OP. Each script waits for a text that only
// that page has, and gives the page to the module as its picture.
func (p Pages) Overrides() map[string]any {
	scripts := map[string][]Script{}
	for _, module := range []string{"oidcc-prompt-login", "oidcc-max-age-1"} {
		first := p.authorize()
		first.Limit = 1
		scripts[module] = []Script{first, p.authorizeAgain()}
	}
	for _, module := range []string{
		"oidcc-ensure-registered-redirect-uri", "oidcc-ensure-redirect-uri-in-authorization-request",
		"oidcc-redirect-uri-query-mismatch", "oidcc-redirect-uri-query-added",
	} {
		scripts[module] = []Script{p.show("/authorize*", "id", "error-description", "redirect_uri")}
	}
	for module, element := range map[string][3]string{
		"oidcc-registration-logo-uri":   {"xpath", "//img[@alt='logo']/..", "Sign in"},
		"oidcc-registration-policy-uri": {"id", "policy", "privacy policy"},
		"oidcc-registration-tos-uri":    {"id", "tos", "terms of service"},
	} {
		scripts[module] = []Script{p.show("/authorize*", element[0], element[1], element[2])}
	}
	for module, text := range map[string]string{
		"bad-post-logout-redirect-uri":            "post_logout_redirect_uri",
		"query-added-to-post-logout-redirect-uri": "post_logout_redirect_uri",
		"modified-id-token-hint":                  "id_token_hint",
		"bad-id-token-hint":                       "id_token_hint",
	} {
		scripts["oidcc-rp-initiated-logout-"+module] = []Script{
			p.authorize(),
			p.show("/end_session*", "id", "error-description", text),
		}
	}
	for _, module := range []string{"no-id-token-hint", "no-params", "no-post-logout-redirect-uri", "only-state"} {
		shown := p.show("/end_session*", "id", "signed-out", "signed out")
		shown.Tasks = append([]Task{p.confirm()}, shown.Tasks...)
		scripts["oidcc-rp-initiated-logout-"+module] = []Script{p.authorize(), shown}
	}
	overrides := map[string]any{}
	for module, entries := range scripts {
		overrides[module] = map[string]any{"browser": entries}
	}
	return overrides
}

// authorize signs in and consents if the OP asks for it, and ends at the suite's callback.
func (p Pages) authorize() Script {
	return Script{
		Match: p.Issuer + "/authorize*",
		Tasks: []Task{
			{Task: "Login", Match: p.Issuer + "/login/*", Optional: true, Commands: p.login()},
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
				Commands: [][]any{{"wait", "id", "submission_complete", 10}},
			},
		},
	}
}

// authorizeAgain is authorize for a visit that must show the sign-in page. It gives that page to the module.
func (p Pages) authorizeAgain() Script {
	s := p.authorize()
	s.Tasks[0].Optional = false
	s.Tasks[0].Commands = append(
		[][]any{{"wait", "xpath", "//h1", 10, "Sign in", "update-image-placeholder"}},
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
			{Task: "Frames", Commands: [][]any{{"wait", "contains", "session_result", 10}}},
		},
	}
}

// show waits until an element of the page has the text, and gives the page to the module.
func (p Pages) show(path, kind, element, text string) Script {
	return Script{
		Match: p.Issuer + path,
		Tasks: []Task{
			{Task: "Show", Commands: [][]any{{"wait", kind, element, 10, text, "update-image-placeholder"}}},
		},
	}
}
