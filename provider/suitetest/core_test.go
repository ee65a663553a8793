package suitetest

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/provider"
	"github.com/curfew-id/curfew/provider/providertest"
)

// This file tests rules of the authorization endpoint that the suite's modules do not check.

// authorizeSilently sends an authorization request and returns the parameters of the response. No user acts.
func (m *module) authorizeSilently(q url.Values) url.Values {
	m.Helper()
	p := m.browser.Do(http.MethodGet, "/authorize?"+q.Encode(), nil, nil)
	target := p.Header.Get("Location")
	if link := p.ErrorLink(); link != "" { // an error page links to a client that registered itself
		target = link
	}
	u, err := url.Parse(target)
	if err != nil || !strings.HasPrefix(u.String(), m.client.redirect) {
		m.Fatalf("got %d to %q for %v, want an answer:\n%s", p.Status, p.Header.Get("Location"), q, p.Body)
	}
	if u.Fragment != "" {
		answer, err := url.ParseQuery(u.EscapedFragment())
		if err != nil {
			m.Fatalf("read fragment: %v", err)
		}
		return answer
	}
	return u.Query()
}

// TestBadRequestsEarnTheRegisteredErrors (Core §3.1.2.6, RFC 6749 §4.1.2.1): the client gets the right error code.
func TestBadRequestsEarnTheRegisteredErrors(t *testing.T) {
	runOnce(t, nil, func(m *module) {
		m.mustRegister(
			map[string]any{
				"response_types": allResponseTypes,
				"grant_types":    []string{"authorization_code", "implicit"},
			},
		)
		for _, c := range []struct {
			parameters []string
			want       string
		}{
			{[]string{"response_type", "code device"}, "unsupported_response_type"},
			{[]string{"response_type", "token"}, "unsupported_response_type"}, // RFC 9700 §2.1.2
			{[]string{"response_type", "none"}, "unsupported_response_type"},
			{[]string{"response_mode", "web_message"}, "invalid_request"},
			{ // Multiple Response Types §5
				[]string{"response_type", "code id_token", "response_mode", "query"},
				"invalid_request",
			},
			{[]string{"scope", ""}, "invalid_scope"},
			{[]string{"scope", "profile"}, "invalid_scope"},
			{[]string{"prompt", "never"}, "invalid_request"},
			{[]string{"prompt", "none login"}, "invalid_request"},
			{[]string{"max_age", "soon"}, "invalid_request"},
			{[]string{"max_age", "-1"}, "invalid_request"},
			{[]string{"id_token_hint", "nonsense"}, "invalid_request"},
			{[]string{"claims", "["}, "invalid_request"},
			{ // §5.5.1.1
				[]string{"claims", `{"id_token":{"acr":{"essential":true,"values":["urn:gold"]}}}`},
				"unmet_authentication_requirements",
			},
			{ // RFC 7636 §4.3: a missing method means plain
				[]string{"code_challenge", providertest.Challenge},
				"invalid_request",
			},
			{[]string{"code_challenge", providertest.Challenge, "code_challenge_method", "plain"}, "invalid_request"},
			{[]string{"code_challenge", "short", "code_challenge_method", "S256"}, "invalid_request"},
			{[]string{"code_challenge_method", "S256"}, "invalid_request"},
			{[]string{"request", "a", "request_uri", "b"}, "invalid_request"}, // §6.1
			{[]string{"registration", "{}"}, "registration_not_supported"},    // §7.2.1
		} {
			q := m.request(c.parameters...)
			m.mustFail(m.authorizeSilently(q), q.Get("state"), c.want)
		}
	})
}

// TestRepeatedParameterIsRefused (RFC 6749 §3.1): a proxy could use one of two values and Curfew the other.
func TestRepeatedParameterIsRefused(t *testing.T) {
	runOnce(t, nil, func(m *module) {
		m.mustRegister(nil)
		q := m.request()
		q.Add("scope", "openid email")
		m.mustFail(m.authorizeSilently(q), q.Get("state"), "invalid_request")
		for _, name := range []string{"client_id", "redirect_uri"} {
			q := m.request()
			q.Add(name, q.Get(name))
			if p := m.visit("/authorize?" + q.Encode()); p.Status != http.StatusBadRequest ||
				p.Header.Get("Location") != "" {
				m.Errorf("got %d to %q with two of %s, want a page", p.Status, p.Header.Get("Location"), name)
			}
		}
	})
}

// TestUnknownClientsAreShownToTheUser (RFC 6749 §4.1.2.1): without a client, the error cannot be sent to one.
func TestUnknownClientsAreShownToTheUser(t *testing.T) {
	runOnce(t, nil, func(m *module) {
		m.mustRegister(nil)
		m.mustShowError(m.visit("/authorize?"+m.request("client_id", "nobody").Encode()), "client_id", "suite.example")
		m.mustShowError(m.visit("/authorize?"+m.request("client_id", "").Encode()), "client_id", "suite.example")
	})
}

// TestScopesThatAreNotUnderstoodAreIgnored (Core §3.1.2.1): so is offline_access if its conditions are not met (§11).
func TestScopesThatAreNotUnderstoodAreIgnored(t *testing.T) {
	runOnce(t, nil, func(m *module) {
		grants := []string{"authorization_code", "refresh_token", "implicit"}
		m.mustRegister(
			map[string]any{
				"grant_types":    grants,
				"response_types": allResponseTypes,
				"scope":          "openid email offline_access",
			},
		)
		for requested, want := range map[string]string{
			"openid openid email payments": "openid email",
			"openid profile":               "openid",
			"openid offline_access":        "openid",
		} {
			if got := m.mustAuthorize("scope", requested).grant.Scope; got != want {
				m.Errorf("got scope %q for %q, want %q", got, requested, want)
			}
		}
		withConsent := []string{"scope", "openid offline_access", "prompt", "consent"}
		if got := m.mustAuthorize(withConsent...).grant.Scope; got != "openid offline_access" {
			m.Errorf("got scope %q with consent, want offline_access", got)
		}
		m.responseType = "id_token token" // §11: offline_access needs a code
		if got := m.mustAuthorize(withConsent...).params.Get("scope"); got != "openid" {
			m.Errorf("got scope %q from the authorization endpoint", got)
		}
	})
}

// TestConsentIsAskedOnceAndMayBeDenied (Core §3.1.2.4).
func TestConsentIsAskedOnceAndMayBeDenied(t *testing.T) {
	ask := func(c *provider.Config) { c.Registration.Defaults = []byte(`{"require_pkce":false}`) }
	runOnce(t, ask, func(m *module) {
		m.mustRegister(nil)
		q := m.request("scope", "openid email")
		p := m.browser.Submit(
			m.browser.Get("/authorize?"+q.Encode()),
			"username",
			"pat",
			"password",
			providertest.Password,
		)
		if !strings.Contains(p.Body, `id="allow"`) || !strings.Contains(p.Body, `id="deny"`) {
			m.Fatalf("got no question for consent:\n%s", p.Body)
		}
		m.mustFail(m.callback(m.browser.Submit(p, "decision", "deny")), q.Get("state"), "access_denied")
		none := m.request("scope", "openid email", "prompt", "none")
		m.mustFail(m.authorizeSilently(none), none.Get("state"), "consent_required")
		m.mustComplete(m.visit("/authorize?"+q.Encode()), q)
		m.mustComplete(m.browser.Do(http.MethodGet, "/authorize?"+none.Encode(), nil, nil), none) // allowed before
		more := m.request("scope", "openid email phone", "prompt", "none")
		m.mustFail(m.authorizeSilently(more), more.Get("state"), "consent_required")
		again := m.request("scope", "openid", "prompt", "consent")
		if p := m.browser.Get("/authorize?" + again.Encode()); !strings.Contains(p.Body, `id="allow"`) {
			m.Errorf("got no question with prompt=consent")
		}
	})
}

// TestSelectAccountOffersAChoice (Core §3.1.2.1): the user continues with the session's account or chooses another.
func TestSelectAccountOffersAChoice(t *testing.T) {
	runOnce(t, nil, func(m *module) {
		m.mustRegister(nil)
		first := m.mustAuthorize()
		m.advance(time.Second)
		q := m.request("prompt", "select_account")
		p := m.browser.Get("/authorize?" + q.Encode())
		if !strings.Contains(p.Body, "Continue as Pat Quill") || !strings.Contains(p.Body, `id="other-account"`) {
			m.Fatalf("got no choice of accounts:\n%s", p.Body)
		}
		same := m.mustComplete(m.browser.Submit(p), q)
		_, rest, _ := strings.Cut(p.Body, `id="other-account" class="button" href="`)
		other, _, _ := strings.Cut(rest, `"`)
		alice := m.mustComplete(
			m.browser.Submit(m.browser.Get(other), "username", "alice", "password", providertest.Password),
			q,
		)
		if same.claims()["sub"] != first.claims()["sub"] || alice.claims()["sub"] != "sub-alice" ||
			alice.claims()["sid"] == same.claims()["sid"] {
			m.Errorf(
				"got %v, %v and %v, want the same user and then the other, in a session of her own",
				first.claims(),
				same.claims(),
				alice.claims(),
			)
		}
		if p := m.userinfo(http.MethodGet, same.accessToken); p.Status != http.StatusUnauthorized {
			m.Errorf("got %d from userinfo for the session that another user replaced, want 401", p.Status)
		}
	})
}

// TestRegisteredDefaultsCount: default_max_age is used as max_age (Registration §2), and a sub in the claims parameter
// as a hint (Core §5.5.1).
func TestRegisteredDefaultsCount(t *testing.T) {
	runOnce(t, nil, func(m *module) {
		m.mustRegister(map[string]any{"default_max_age": 60, "require_auth_time": true})
		first := m.mustAuthorize()
		m.mustStaySignedIn(first, "prompt", "none")
		q := m.request("prompt", "none", "claims", `{"id_token":{"sub":{"value":"sub-alice"}}}`)
		m.mustFail(m.authorizeSilently(q), q.Get("state"), "login_required")
		q = m.request("prompt", "none", "claims", `{"id_token":{"sub":{"value":"sub-pat"}}}`)
		m.mustComplete(m.browser.Do(http.MethodGet, "/authorize?"+q.Encode(), nil, nil), q)
		m.advance(2 * time.Minute)
		q = m.request("prompt", "none")
		m.mustFail(m.authorizeSilently(q), q.Get("state"), "login_required")
		m.mustStaySignedIn(first, "prompt", "none", "max_age", "600") // the request takes precedence
	})
}

// TestResponseModesStandWhereTheyMay (Multiple Response Types §2.1): a code may come in the query or the fragment.
func TestResponseModesStandWhereTheyMay(t *testing.T) {
	runOnce(t, nil, func(m *module) {
		m.mustRegister(nil)
		m.mustAuthorize()
		for mode, separator := range map[string]string{"": "?", "query": "?", "fragment": "#"} {
			p := m.browser.Do(http.MethodGet, "/authorize?"+m.request("response_mode", mode).Encode(), nil, nil)
			if got := p.Header.Get("Location"); p.Status != http.StatusSeeOther ||
				!strings.HasPrefix(got, m.client.redirect+separator+"code=") {
				m.Errorf("response_mode %q: got %d to %q", mode, p.Status, got)
			}
		}
	})
}

// TestRequestTooLongForACodeIsRefused: a code contains nonce and claims and travels in a URL, so their size is limited.
func TestRequestTooLongForACodeIsRefused(t *testing.T) {
	runOnce(t, nil, func(m *module) {
		m.mustRegister(nil)
		m.mustAuthorize("nonce", strings.Repeat("n", 300))
		q := m.request("prompt", "none", "nonce", strings.Repeat("n", 1000))
		params := m.authorizeSilently(q)
		m.mustFail(params, q.Get("state"), "invalid_request")
		if !strings.Contains(params.Get("error_description"), "nonce") {
			m.Errorf("got %q, want what to shorten", params.Get("error_description"))
		}
	})
}
