package suitetest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/curfew-id/curfew/provider"
	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/provider/providertest"
)

// TestClientThatRegistersNothingSpecialGetsTheStrictDefaults: the deployment has switched on every feature, but a
// client gets a feature only if its metadata contains it.
func TestClientThatRegistersNothingSpecialGetsTheStrictDefaults(t *testing.T) {
	everything := func(c *provider.Config) {
		c.Registration.Mode = policy.RegistrationOpen
		c.Registration.Defaults = nil
		c.Registration.Logo = true
		c.Registration.PublicWithoutPKCE = true
		c.CheckSession = true
	}
	const plain = `{"redirect_uris":["https://plain.example/cb"]}`
	for name, add := range map[string]func(*module) providertest.Page{
		"by itself": func(m *module) providertest.Page {
			return m.send(http.MethodPost, "/register", "application/json", plain, nil)
		},
		"by an administrator": func(m *module) providertest.Page {
			return m.op.MustAdmin(http.MethodPost, "/clients", plain)
		},
	} {
		t.Run(name, func(t *testing.T) {
			runOnce(t, everything, func(m *module) {
				answer := m.mustJSON(add(m))
				id, _ := answer["client_id"].(string)
				secret, _ := answer["client_secret"].(string)
				m.client = &suiteClient{
					ID:       id,
					Secret:   secret,
					Method:   "client_secret_basic",
					redirect: "https://plain.example/cb",
					key:      clientKeys()[0],
				}
				others := []string{"none", "client_secret_jwt", "private_key_jwt"}
				// If an operator names no method, the client may use basic and post.
				if answer["token_endpoint_auth_method"] != nil {
					others = append(others, "client_secret_post")
				}
				m.checkStrict(others)
			})
		})
	}
}

// checkStrict checks the defaults. otherMethods are the methods of client authentication that the client may not use.
func (m *module) checkStrict(otherMethods []string) {
	m.Helper()
	pkce := []string{"code_challenge", providertest.Challenge, "code_challenge_method", "S256"}
	refuse := func(code string, more ...string) {
		m.Helper()
		q := m.request(append(slices.Clone(pkce), more...)...)
		p := m.browser.Do(http.MethodGet, "/authorize?"+q.Encode(), nil, nil)
		inQuery := !strings.Contains(p.Header.Get("Location")+p.ErrorLink(), "#")
		m.mustFail(m.callbackAs(p, inQuery), q.Get("state"), code)
	}
	for _, responseType := range allResponseTypes[1:] { // implicit and hybrid
		refuse("unauthorized_client", "response_type", responseType)
	}
	// RFC 9700 §2.1.1: PKCE or nonce.
	refuse("invalid_request", "code_challenge", "", "code_challenge_method", "", "nonce", "")
	refuse("invalid_request", "code_challenge", providertest.Verifier, "code_challenge_method", "plain")
	refuse("invalid_request_uri", "request_uri", "https://plain.example/request")
	for _, other := range []string{
		"https://plain.example/cb/",
		"https://plain.example/cb?x=y",
		"https://plain.example:443/cb",
		"http://plain.example/cb",
		"https://PLAIN.example/cb",
	} {
		q := m.request(append(slices.Clone(pkce), "redirect_uri", other)...)
		m.mustShowError(m.visit("/authorize?"+q.Encode()), "redirect_uri", "plain.example")
	}

	p := m.browser.Submit(
		m.browser.Get("/authorize?"+m.request(pkce...).Encode()),
		"username",
		"pat",
		"password",
		providertest.Password,
	)
	if !strings.Contains(p.Body, `id="allow"`) {
		m.Fatalf("got no question for consent:\n%s", p.Body)
	}
	q := m.request(append(slices.Clone(pkce), "scope", "openid offline_access email", "prompt", "consent")...)
	o := m.mustComplete(m.visit("/authorize?"+q.Encode()), q, "code_verifier", providertest.Verifier)
	switch {
	case o.params.Has("session_state"):
		m.Errorf("got session_state without asking for it")
	case o.grant.RefreshToken != "" || strings.Contains(o.grant.Scope, "offline_access"):
		m.Errorf("got a refresh token and scope %q without that grant type", o.grant.Scope)
	case strings.Contains(o.accessToken, "."):
		m.Errorf("got the access token %q, want an opaque one", o.accessToken)
	case o.claims()["sub"] != "sub-pat" || o.claims()["session_expiry"] != nil:
		m.Errorf("got claims %v, want a public sub and no session_expiry", o.claims())
	}
	for _, method := range otherMethods {
		other := *m.client
		other.Method = method
		m.mustRefuse(
			m.redeem(&other, "not-issued-here", "code_verifier", providertest.Verifier),
			http.StatusUnauthorized,
			"invalid_client",
		)
	}
	m.mustRefuse(
		m.token(m.client, url.Values{"grant_type": {"client_credentials"}}),
		http.StatusBadRequest,
		"unauthorized_client",
	)
	// A logout in another browser does not end the session, and no page leads to an unregistered URI.
	logout := url.Values{
		"id_token_hint":            {o.idToken},
		"post_logout_redirect_uri": {"https://plain.example/bye"},
	}
	page := m.op.Browser().Get("/end_session?" + logout.Encode())
	if strings.Contains(page.Body, "plain.example/bye") {
		m.Errorf("got a way to a post_logout_redirect_uri that is not registered")
	}
	m.mustBeActive(o.accessToken)
}
