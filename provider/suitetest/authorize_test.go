package suitetest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/curfew-id/curfew/provider/providertest"
)

// request returns the parameters of the suite's authorization request for this variant. more overrides parameters; an
// empty value removes one.
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

// visit opens an authorization request, signs in and gives consent if asked. It returns the response to the client or
// the page on which it ends.
func (m *module) visit(target string) providertest.Page {
	m.Helper()
	return m.finish(m.browser.Get(target))
}

// finish signs in and gives consent, starting from a page.
func (m *module) finish(p providertest.Page) providertest.Page {
	m.Helper()
	m.askedForPassword = false
	if strings.Contains(p.Body, `id="password"`) {
		m.askedForPassword = true
		p = m.browser.Submit(p, "username", "pat", "password", providertest.Password)
	}
	if strings.Contains(p.Body, `id="allow"`) {
		p = m.browser.Submit(p, "decision", "allow")
	}
	return p
}

// callback returns the parameters of an authorization response. It checks that they are only where the response mode
// puts them.
func (m *module) callback(p providertest.Page) url.Values {
	m.Helper()
	return m.callbackAs(p, m.responseType == "code")
}

// callbackAs does the same as callback for a request whose response type is not the variant's. inQuery says whether the
// default mode is query.
func (m *module) callbackAs(p providertest.Page, inQuery bool) url.Values {
	m.Helper()
	registered := queryOf(m.client.redirect)
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
	hasTarget := p.Status == http.StatusSeeOther || link != ""
	if err != nil || !hasTarget || !strings.HasPrefix(location.String(), m.client.redirect) {
		m.Fatalf("got %d to %q, want a redirect to the client:\n%s", p.Status, p.Header.Get("Location"), p.Body)
	}
	query := location.Query()
	for name, values := range registered { // Core §3.1.2.5: the registered query stays
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

// mustFail checks an error response (Core §3.1.2.6): it has one of the codes, the request's state and the issuer, and
// no parameter that the specifications do not define.
func (m *module) mustFail(params url.Values, state string, codes ...string) {
	m.Helper()
	if !slices.Contains(codes, params.Get("error")) {
		m.Errorf("got error %q, want one of %v", params.Get("error"), codes)
	}
	m.mustMatchRequest(params, state)
	for name, values := range params {
		allowed := []string{"error", "error_description", "error_uri", "state", "session_state", "iss"}
		if !slices.Contains(allowed, name) || len(values) != 1 {
			m.Errorf("got %s=%v in an error response", name, values)
		}
	}
	description := params.Get("error_description")
	if description == "" || strings.ContainsFunc(description, isForbiddenInDescription) {
		m.Errorf("got error_description %q", description)
	}
}

// isForbiddenInDescription reports whether error_description must not contain r. RFC 6749 §4.1.2.1 allows only %x20-21
// / %x23-5B / %x5D-7E.
func isForbiddenInDescription(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }

// needsUserErrors are the errors for prompt=none if the user has to act.
var needsUserErrors = []string{
	"login_required",
	"interaction_required",
	"account_selection_required",
	"consent_required",
}

// mustMatchRequest checks state and issuer (RFC 9207 §2) of a response.
func (m *module) mustMatchRequest(params url.Values, state string) {
	m.Helper()
	if got := params.Get("state"); got != state {
		m.Errorf("got state %q, want %q", got, state)
	}
	if got := params.Get("iss"); got != providertest.Issuer {
		m.Errorf("got iss %q, want %q", got, providertest.Issuer)
	}
}

// mustShowError wants an error page for the user: it names what is wrong, and has no link to the target, which it may
// name.
func (m *module) mustShowError(p providertest.Page, text, target string) {
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

// token calls the token endpoint as a client and checks the response (RFC 6749 §5).
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

// mustRefuse checks an error response of the token endpoint (RFC 6749 §5.2).
func (m *module) mustRefuse(g grant, status int, code string) {
	m.Helper()
	if g.Status != status || g.Error != code || g.AccessToken != "" || g.IDToken != "" || g.RefreshToken != "" {
		m.Errorf("got %+v, want %d %s and nothing more", g, status, code)
	}
	if strings.ContainsFunc(g.Description, isForbiddenInDescription) {
		m.Errorf("got error_description %q", g.Description)
	}
}

// redeem exchanges a code for tokens. more adds parameters.
func (m *module) redeem(c *suiteClient, code string, more ...string) grant {
	m.Helper()
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {c.redirect}}
	for i := 0; i < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	return m.token(c, form)
}
