package suitetest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/curfew-id/curfew/provider/providertest"
)

func TestModuleServer(t *testing.T) {
	runEveryMode(t, allResponseTypes, func(m *module) {
		m.mustRegister(nil)
		m.mustAuthorize()
		if !m.askedForPassword {
			m.Errorf("got an answer without a sign-in")
		}
	})
}

func TestModuleAlternateHappyFlow(t *testing.T) {
	runModule(t, allResponseTypes, func(m *module) {
		m.mustRegister(nil)
		q := m.request("scope", "email openid")
		var names []string
		for name := range q {
			names = append(names, name)
		}
		slices.Sort(names)
		slices.Reverse(names)
		var pairs []string
		for _, name := range names {
			pairs = append(pairs, name+"="+url.QueryEscape(q.Get(name)))
		}
		m.checkScopes(m.mustComplete(m.visit("/authorize?"+strings.Join(pairs, "&")), q), "email")
	})
}

func TestModuleResponseTypeMissing(t *testing.T) {
	runEveryMode(t, allResponseTypes, func(m *module) {
		m.mustRegister(nil)
		q := m.request("response_type", "")
		m.mustFail(
			m.callbackAs(m.visit("/authorize?"+q.Encode()), true),
			q.Get("state"),
			"invalid_request",
			"unsupported_response_type",
		)
	})
}

func TestModuleEnsureRequestWithoutNonceSucceedsForCodeFlow(t *testing.T) {
	runModule(t, []string{"code", "code token"}, func(m *module) {
		m.mustRegister(nil)
		m.mustAuthorize("nonce", "")
	})
}

func TestModuleEnsureRequestWithoutNonceFails(t *testing.T) {
	runEveryMode(t, idTokenResponseTypes, func(m *module) {
		m.mustRegister(nil)
		q := m.request("nonce", "")
		m.mustFail(m.callback(m.visit("/authorize?"+q.Encode())), q.Get("state"), "invalid_request")
	})
}

func TestModuleEnsureRequestWithUnknownParameterSucceeds(t *testing.T) {
	runModule(t, allResponseTypes, func(m *module) {
		m.mustRegister(nil)
		m.mustAuthorize("extra", "foobar")
	})
}

func TestModuleDisplayPage(t *testing.T) {
	runModule(t, allResponseTypes, func(m *module) {
		m.mustRegister(nil)
		m.mustAuthorize("display", "page")
	})
}

func TestModuleDisplayPopup(t *testing.T) {
	runModule(t, allResponseTypes, func(m *module) {
		m.mustRegister(nil)
		m.mustAuthorize("display", "popup")
	})
}

func TestModuleUiLocales(t *testing.T) {
	runModule(t, allResponseTypes, func(m *module) {
		m.mustRegister(nil)
		m.mustAuthorize("ui_locales", "se")
	})
}

func TestModuleClaimsLocales(t *testing.T) {
	runModule(t, allResponseTypes, func(m *module) {
		m.mustRegister(nil)
		m.mustAuthorize("claims_locales", "se")
	})
}

func TestModuleLoginHint(t *testing.T) {
	runModule(t, allResponseTypes, func(m *module) {
		m.mustRegister(nil)
		q := m.request("login_hint", "pat@example.org")
		p := m.browser.Get("/authorize?" + q.Encode())
		if !strings.Contains(p.Body, `value="pat@example.org"`) {
			m.Errorf("got a sign-in page without the user name of login_hint")
		}
		m.mustComplete(m.finish(p), q)
	})
}

func TestModuleEnsureRequestWithAcrValuesSucceeds(t *testing.T) {
	runModule(t, allResponseTypes, func(m *module) {
		m.mustRegister(nil)
		known := m.supported("acr_values_supported")
		o := m.mustAuthorize("acr_values", strings.Join(known, " "))
		for _, c := range []map[string]any{o.authorizationClaims, o.tokenClaims} {
			if acr, _ := c["acr"].(string); c != nil && !slices.Contains(known, acr) {
				m.Errorf("got acr %q, want one of %v", acr, known)
			}
		}
	})
}

func TestModuleEnsurePostRequestSucceeds(t *testing.T) {
	for from, site := range map[string][]string{
		"a browser without Fetch Metadata": nil,
		"the client's site":                {"cross-site"},
		"the address bar":                  {"none"},
	} {
		t.Run(from, func(t *testing.T) {
			runModule(t, allResponseTypes, func(m *module) {
				m.mustRegister(nil)
				for _, signedIn := range []bool{false, true} {
					// With a POST from another site, a browser does not send the SameSite=Lax session cookie.
					jar := m.browser.Cookies
					if slices.Contains(site, "cross-site") {
						m.browser.Cookies = map[string]string{}
					}
					q := m.request()
					p := m.browser.Do(http.MethodPost, "/authorize", q, http.Header{"Sec-Fetch-Site": site})
					for name, value := range m.browser.Cookies {
						jar[name] = value
					}
					m.browser.Cookies = jar
					// Curfew's own page repeats a POST that came without the session cookie.
					if strings.Contains(p.Body, `action="/authorize"`) {
						action, fields := p.Form(m)
						p = m.browser.Do(http.MethodPost, action, fields, nil)
					}
					o := m.mustComplete(m.finish(m.browser.Follow(p)), q)
					if m.askedForPassword == signedIn {
						m.Errorf("got a question for the password: %v, want %v", m.askedForPassword, !signedIn)
					}
					if o.claims()["sub"] == nil {
						m.Errorf("got no sub")
					}
				}
			})
		})
	}
}

func TestModuleEnsureRequestWithValidPkceSucceeds(t *testing.T) {
	runModule(t, codeResponseTypes, func(m *module) {
		m.mustRegister(nil)
		q := m.request("code_challenge", providertest.Challenge, "code_challenge_method", "S256")
		m.mustComplete(m.visit("/authorize?"+q.Encode()), q, "code_verifier", providertest.Verifier)
		// A client that sent a challenge must send the verifier (RFC 9700 §4.8.2).
		q = m.request("code_challenge", providertest.Challenge, "code_challenge_method", "S256")
		m.mustRefuse(
			m.redeem(m.client, m.callback(m.visit("/authorize?"+q.Encode())).Get("code")),
			http.StatusBadRequest,
			"invalid_grant",
		)
	})
}
