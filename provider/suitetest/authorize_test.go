package suitetest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/curfew-id/curfew/provider/providertest"
)

// request is an authorization request as the suite makes it for this variant. more overrides parameters; an empty
// value leaves one out.
func (m *module) request(more ...string) url.Values {
	q := url.Values{
		"client_id":     {m.client.ID},
		"redirect_uri":  {m.client.redirect},
		"scope":         {"openid"},
		"state":         {randomText(10)},
		"nonce":         {randomText(10)},
		"response_type": {m.responseType},
	}
	if m.formPost {
		q.Set("response_mode", "form_post")
	}
	for i := 0; i < len(more); i += 2 {
		if more[i+1] == "" {
			q.Del(more[i])
		} else {
			q.Set(more[i], more[i+1])
		}
	}
	return q
}

// visit plays the user from an authorization request on: signs in and allows where asked. What it ends at leads to
// the client, or is a page that the user can do nothing about.
func (m *module) visit(target string) providertest.Page {
	m.Helper()
	return m.finish(m.browser.Get(target))
}

func (m *module) finish(p providertest.Page) providertest.Page {
	m.Helper()
	m.passwordAsked = false
	if strings.Contains(p.Body, `id="password"`) {
		m.passwordAsked = true
		p = m.browser.Submit(p, "username", "pat", "password", providertest.Password)
	}
	if strings.Contains(p.Body, `id="allow"`) {
		p = m.browser.Submit(p, "decision", "allow")
	}
	return p
}

// callback reads an authorization response from where its mode puts it, and wants nothing anywhere else.
func (m *module) callback(p providertest.Page) url.Values {
	m.Helper()
	return m.callbackAs(p, m.responseType == "code")
}

// callbackAs is callback where a request's default mode may not follow from the variant: inQuery says whether it is
// query.
func (m *module) callbackAs(p providertest.Page, inQuery bool) url.Values {
	m.Helper()
	registered := keep(m.client.redirect)
	if m.formPost { // Form Post §2
		if p.Status != http.StatusOK || !strings.HasPrefix(p.Header.Get("Content-Type"), "text/html") ||
			p.Header.Get("Cache-Control") != "no-store" {
			m.Fatalf("got %d %q, want a page that posts", p.Status, p.Header.Get("Location"))
		}
		action, fields := p.Form(m)
		if action != m.client.redirect || !strings.Contains(p.Body, `<form method="post"`) ||
			!strings.Contains(p.Body, "submit.") ||
			!strings.Contains(p.Body, "<button") {
			m.Errorf("got a form to %q, want one to the redirect URI that posts by itself and has a button", action)
		}
		return fields
	}
	target := p.Header.Get("Location")
	link := p.ErrorLink() // the suite's browser follows the link of an error page to a client that registered itself
	if link != "" {
		target = link
	}
	location, err := url.Parse(target)
	if err != nil || p.Status != http.StatusSeeOther && link == "" || !strings.HasPrefix(location.String(), m.client.redirect) {
		m.Fatalf("got %d to %q, want a redirect to the application:\n%s", p.Status, p.Header.Get("Location"), p.Body)
	}
	query := location.Query()
	for name, values := range registered { // Core §3.1.2.5: what was registered stays
		if !slices.Equal(query[name], values) {
			m.Errorf("got %v of the registered query, want %v", query[name], values)
		}
		query.Del(name)
	}
	if inQuery {
		if location.EscapedFragment() != "" {
			m.Errorf("got a fragment %q beside the query", location.EscapedFragment())
		}
		return query
	}
	if len(query) > 0 {
		m.Errorf("got %v in the query, want it in the fragment", query)
	}
	fragment, err := url.ParseQuery(location.EscapedFragment())
	if err != nil {
		m.Fatalf("read fragment: %v", err)
	}
	return fragment
}

// mustFail wants an error response with one of the codes to a request with that state (Core §3.1.2.6): state and
// issuer are right, nothing is given, and nothing stands there that no specification names.
func (m *module) mustFail(params url.Values, state string, codes ...string) {
	m.Helper()
	if !slices.Contains(codes, params.Get("error")) {
		m.Errorf("got error %q, want one of %v", params.Get("error"), codes)
	}
	m.mustBelong(params, state)
	for name, values := range params {
		if !slices.Contains(
			[]string{"error", "error_description", "error_uri", "state", "session_state", "iss"},
			name,
		) ||
			len(values) != 1 {
			m.Errorf("got %s=%v in an error response", name, values)
		}
	}
	// RFC 6749 §4.1.2.1: %x20-21 / %x23-5B / %x5D-7E
	if d := params.Get("error_description"); d == "" ||
		strings.ContainsFunc(d, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) {
		m.Errorf("got error_description %q", d)
	}
}

// uiErrors are the answers to prompt=none that need a user.
var uiErrors = []string{"login_required", "interaction_required", "account_selection_required", "consent_required"}

// mustBelong wants a response's state and issuer (RFC 9207 §2) to be those of the request.
func (m *module) mustBelong(params url.Values, state string) {
	m.Helper()
	if got := params.Get("state"); got != state {
		m.Errorf("got state %q, want %q", got, state)
	}
	if got := params.Get("iss"); got != providertest.Issuer {
		m.Errorf("got iss %q, want %q", got, providertest.Issuer)
	}
}

// mustShow wants an error page for the user: it names what is wrong, and has no link to the target, which it may name.
func (m *module) mustShow(p providertest.Page, text, target string) {
	m.Helper()
	_, description, found := strings.Cut(p.Body, `id="error-description">`)
	description, _, _ = strings.Cut(description, "<")
	if p.Status != http.StatusBadRequest || !found || !strings.Contains(description, text) ||
		!strings.HasPrefix(p.Header.Get("Content-Type"), "text/html") {
		m.Errorf("got %d %q, want an error page about %s:\n%s", p.Status, description, text, p.Body)
	}
	if p.Header.Get("Location") != "" || target != "" && strings.Contains(p.Body, "//"+target) ||
		strings.Contains(p.Body, "http-equiv") {
		m.Errorf("got a way on to %q from an error page", target)
	}
}

// grant is a token response.
type grant struct {
	providertest.TokenResponse
	TokenType   string `json:"token_type"`
	ExpiresIn   int64  `json:"expires_in"`
	Scope       string `json:"scope"`
	Description string `json:"error_description"`
}

// token calls the token endpoint as a client, and holds the answer to RFC 6749 §5.
func (m *module) token(c *suiteClient, form url.Values) grant {
	m.Helper()
	header := http.Header{}
	m.authenticate(c, form, header)
	p := m.send(http.MethodPost, "/token", "application/x-www-form-urlencoded", form.Encode(), header)
	m.mustJSON(p)
	var g grant
	if err := json.Unmarshal([]byte(p.Body), &g); err != nil {
		m.Fatalf("read token response %s: %v", p.Body, err)
	}
	g.Status = p.Status
	if p.Header.Get("Cache-Control") != "no-store" {
		m.Errorf("got Cache-Control %q from the token endpoint, want no-store", p.Header.Get("Cache-Control"))
	}
	if p.Status == http.StatusOK &&
		(g.AccessToken == "" || g.TokenType != "Bearer" || g.ExpiresIn <= 0 || g.Error != "") {
		m.Errorf("got token response %s", p.Body)
	}
	return g
}

// mustRefuse wants an error of RFC 6749 §5.2.
func (m *module) mustRefuse(g grant, status int, code string) {
	m.Helper()
	if g.Status != status || g.Error != code || g.AccessToken != "" || g.IDToken != "" || g.RefreshToken != "" {
		m.Errorf("got %+v, want %d %s and nothing more", g, status, code)
	}
	if strings.ContainsFunc(g.Description, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) {
		m.Errorf("got error_description %q", g.Description)
	}
}

// redeem exchanges a code; more adds parameters.
func (m *module) redeem(c *suiteClient, code string, more ...string) grant {
	m.Helper()
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {c.redirect}}
	for i := 0; i < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	return m.token(c, form)
}
