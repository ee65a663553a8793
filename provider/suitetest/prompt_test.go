package suitetest

import (
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/provider"
	"github.com/curfew-id/curfew/provider/providertest"
)

// mustReauthenticate makes a second request that must lead to the sign-in page. Only the password leads further, and
// the new authentication is later and of the same user.
func (m *module) mustReauthenticate(more ...string) {
	m.Helper()
	m.mustRegister(nil)
	first := m.mustAuthorize()
	m.advance(2 * time.Second)
	q := m.request(more...)
	p := m.browser.Get("/authorize?" + q.Encode())
	if p.Status != http.StatusOK || !strings.Contains(p.Body, "<h1>Sign in</h1>") ||
		!strings.Contains(p.Body, `id="password"`) {
		m.Fatalf("got %d, want the sign-in page again:\n%s", p.Status, p.Body)
	}
	if again := m.browser.Get("/authorize?" + q.Encode()); !strings.Contains(again.Body, `id="password"`) {
		m.Errorf("got past the sign-in page by asking twice")
	}
	wrong := m.browser.Submit(p, "username", "pat", "password", "something else")
	if !strings.Contains(wrong.Body, `id="password"`) || wrong.Header.Get("Location") != "" {
		m.Errorf("got past the sign-in page by a wrong password")
	}
	second := m.mustComplete(m.finish(p), q)
	before, _ := first.claims()["auth_time"].(float64)
	after, _ := second.claims()["auth_time"].(float64)
	if after <= before || after < float64(time.Now().Add(-5*time.Minute).Unix()) ||
		first.claims()["sub"] != second.claims()["sub"] {
		m.Errorf("got auth_time %v and then %v, want a later one of the same user", before, after)
	}
}

func TestModulePromptLogin(t *testing.T) {
	runModule(t, allResponseTypes, func(m *module) { m.mustReauthenticate("prompt", "login") })
}

func TestModuleMaxAge1(t *testing.T) {
	runModule(t, allResponseTypes, func(m *module) { m.mustReauthenticate("max_age", "1") })
}

// mustStaySignedIn makes a second request that must be answered at once, with the same authentication.
func (m *module) mustStaySignedIn(first outcome, more ...string) {
	m.Helper()
	m.advance(2 * time.Second)
	q := m.request(more...)
	second := m.mustComplete(m.browser.Do(http.MethodGet, "/authorize?"+q.Encode(), nil, nil), q)
	for _, name := range []string{"sub", "auth_time"} {
		if got, want := second.claims()[name], first.claims()[name]; got != want || got == nil {
			m.Errorf("got %s %v and then %v, want the same", name, want, got)
		}
	}
}

func TestModuleMaxAge10000(t *testing.T) {
	runModule(t, allResponseTypes, func(m *module) {
		m.mustRegister(nil)
		m.mustStaySignedIn(m.mustAuthorize("max_age", "15000"), "max_age", "10000")
	})
}

func TestModulePromptNoneLoggedIn(t *testing.T) {
	runModule(t, allResponseTypes, func(m *module) {
		m.mustRegister(nil)
		m.mustStaySignedIn(m.mustAuthorize(), "prompt", "none")
	})
}

func TestModuleIdTokenHint(t *testing.T) {
	runModule(t, allResponseTypes, func(m *module) {
		m.mustRegister(nil)
		first := m.mustAuthorize()
		m.mustStaySignedIn(first, "prompt", "none", "id_token_hint", first.idToken)
		// With a hint that names another user, the response must not be about the signed-in user (Core §3.1.2.1).
		other := *m
		other.browser = m.op.Browser()
		q := m.request()
		p := other.browser.Submit(
			other.browser.Get("/authorize?"+q.Encode()),
			"username",
			"alice",
			"password",
			providertest.Password,
		)
		alice := other.mustComplete(p, q)
		q = m.request("prompt", "none", "id_token_hint", alice.idToken)
		m.mustFail(
			m.callback(m.browser.Do(http.MethodGet, "/authorize?"+q.Encode(), nil, nil)),
			q.Get("state"),
			"login_required",
		)
	})
}

func TestModulePromptNoneNotLoggedIn(t *testing.T) {
	runEveryMode(t, allResponseTypes, func(m *module) {
		m.mustRegister(nil)
		m.mustNotBeSignedIn()
	})
}

// mustNotBeSignedIn checks that prompt=none, with a state of 128 characters, gives an error that needs a user.
func (m *module) mustNotBeSignedIn() {
	m.Helper()
	q := m.request("prompt", "none", "state", longState())
	m.mustFail(
		m.callback(m.browser.Do(http.MethodGet, "/authorize?"+q.Encode(), nil, nil)),
		q.Get("state"),
		needsUserErrors...)
}

// TestEveryAuthenticationMakesANewCookie: an attacker who knows or planted the old cookie cannot use it. The session
// and its sid stay.
func TestEveryAuthenticationMakesANewCookie(t *testing.T) {
	runOnce(t, nil, func(m *module) {
		m.mustRegister(nil)
		first := m.mustAuthorize()
		old := *m
		old.browser = m.op.Browser()
		maps.Copy(old.browser.Cookies, m.browser.Cookies)
		m.advance(time.Second)
		second := m.mustAuthorize("prompt", "login")
		if second.claims()["sid"] != first.claims()["sid"] {
			m.Errorf(
				"got sid %v and then %v for the same user, want one",
				first.claims()["sid"],
				second.claims()["sid"],
			)
		}
		old.mustNotBeSignedIn()
		m.mustBeActive(first.accessToken)
	})
}

// TestForeignFormsNeitherSignInNorConsent (RFC 6749 §10.12): forms from another site or from another browser's page.
func TestForeignFormsNeitherSignInNorConsent(t *testing.T) {
	ask := func(c *provider.Config) { c.Registration.Defaults = []byte(`{"require_pkce":false}`) }
	runOnce(t, ask, func(m *module) {
		m.mustRegister(nil)
		login := m.browser.Get("/authorize?" + m.request().Encode())
		mustRefuse := func(p providertest.Page, more ...string) {
			m.Helper()
			action, fields := p.Form(m)
			for i := 0; i < len(more); i += 2 {
				fields.Set(more[i], more[i+1])
			}
			crossSite := http.Header{"Sec-Fetch-Site": {"cross-site"}}
			got := m.browser.Do(http.MethodPost, action, fields, crossSite)
			if got.Status != http.StatusForbidden {
				m.Errorf("got %d for a form from another site, want 403", got.Status)
			}
			got = m.op.Browser().Do(http.MethodPost, action, fields, nil)
			if got.Status != http.StatusBadRequest {
				m.Errorf("got %d for a page of another browser, want 400", got.Status)
			}
		}
		mustRefuse(login, "username", "pat", "password", providertest.Password)
		mustRefuse(m.browser.Submit(login, "username", "pat", "password", providertest.Password), "decision", "allow")
	})
}
