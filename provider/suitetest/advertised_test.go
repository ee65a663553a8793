package suitetest

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/curfew-id/curfew/provider"
	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/provider/providertest"
)

// The tests in this file check that the discovery document (Discovery 1.0 §3) lists exactly what works.

func TestAdvertisedEndpointsAreThere(t *testing.T) {
	for _, mode := range []string{"", policy.RegistrationOff, policy.RegistrationToken, policy.RegistrationOpen} {
		for _, checkSession := range []bool{false, true} {
			runOnce(
				t,
				func(c *provider.Config) { c.Registration.Mode, c.CheckSession = mode, checkSession },
				func(m *module) {
					d := m.discovery()
					optional := map[string]bool{
						"registration_endpoint": mode == policy.RegistrationToken || mode == policy.RegistrationOpen,
						"check_session_iframe":  checkSession,
					}
					for name, on := range optional {
						if (d[name] != nil) != on {
							m.Errorf("registration %q, check_session %v: got %s %v", mode, checkSession, name, d[name])
						}
					}
					paths := []string{
						"/authorize",
						"/end_session",
						"/introspect",
						"/jwks",
						"/revoke",
						"/token",
						"/userinfo",
						"/register",
						"/check_session",
					}
					for name, value := range d {
						u, _ := value.(string)
						path := strings.TrimPrefix(u, providertest.Issuer)
						if name == "issuer" || u == "" {
							continue
						}
						if p := m.send(http.MethodGet, path, "", "", nil); p.Status == http.StatusNotFound {
							m.Errorf("got nothing at the %s %s", name, u)
						}
						paths = slices.DeleteFunc(paths, func(known string) bool { return known == path })
					}
					for _, path := range paths { // the paths that are not advertised
						for _, method := range []string{http.MethodGet, http.MethodPost} {
							p := m.send(method, path, "application/json", "{}", nil)
							if p.Status != http.StatusNotFound {
								m.Errorf(
									"registration %q, check_session %v: got %d from %s %s, which is not advertised",
									mode,
									checkSession,
									p.Status,
									method,
									path,
								)
							}
						}
					}
				},
			)
		}
	}
}

func TestAdvertisedMethodsOfAuthenticationAreTakenAtEachEndpoint(t *testing.T) {
	runOnce(t, nil, func(m *module) {
		for path, endpoint := range map[string]string{
			"/token":      "token",
			"/introspect": "introspection",
			"/revoke":     "revocation",
		} {
			advertised := m.supported(endpoint + "_endpoint_auth_methods_supported")
			for _, method := range clientMethods {
				c := m.mustRegister(map[string]any{"token_endpoint_auth_method": method})
				form, header := url.Values{
					"token":        {"x"},
					"grant_type":   {"authorization_code"},
					"code":         {"x"},
					"redirect_uri": {c.redirect},
				}, http.Header{}
				m.authenticate(c, form, header)
				p := m.send(http.MethodPost, path, "application/x-www-form-urlencoded", form.Encode(), header)
				if got, want := p.Status != http.StatusUnauthorized, slices.Contains(advertised, method); got != want {
					m.Errorf("got %s taken at %s: %v, want %v as advertised", method, path, got, want)
				}
			}
		}
	})
}

func TestAdvertisedGrantTypesWorkAndNoOthers(t *testing.T) {
	runOnce(t, nil, func(m *module) {
		advertised := m.supported("grant_types_supported")
		responses := map[string][]string{
			"authorization_code": {"code"},
			"implicit":           {"id_token token"},
			"refresh_token":      {"code"},
			"client_credentials": {},
		}
		for _, grant := range []string{
			"authorization_code",
			"implicit",
			"refresh_token",
			"client_credentials",
			"password",
			"urn:ietf:params:oauth:grant-type:device_code",
			"urn:ietf:params:oauth:grant-type:jwt-bearer",
			"urn:ietf:params:oauth:grant-type:token-exchange",
			"urn:openid:params:grant-type:ciba",
		} {
			grants := []string{grant}
			if grant == "refresh_token" {
				grants = append(grants, "authorization_code")
			}
			p := m.register(map[string]any{"grant_types": grants, "response_types": responses[grant]})
			if got, want := p.Status == http.StatusCreated, slices.Contains(advertised, grant); got != want {
				m.Errorf("got %s registered: %v, want %v as advertised", grant, got, want)
			}
			// Core §3.2: with implicit the tokens come from the authorization endpoint.
			g := m.token(m.mustRegister(nil), url.Values{"grant_type": {grant}})
			got := g.Error != "unsupported_grant_type"
			want := slices.Contains(advertised, grant) && grant != "implicit"
			if got != want {
				m.Errorf("got %+v for %s, want it known: %v", g, grant, want)
			}
		}
		c := m.mustRegister(
			map[string]any{"grant_types": []string{"authorization_code", "refresh_token", "client_credentials"}},
		)
		m.mustRefresh(m.mustAuthorize(offline...))
		if g := m.token(c, url.Values{"grant_type": {"client_credentials"}}); g.Status != http.StatusOK {
			m.Errorf("got %+v by client_credentials", g)
		}
	})
}

// TestAdvertisedValuesOfParametersAreTaken: classes of authentication, prompts, response modes, challenges, scopes.
func TestAdvertisedValuesOfParametersAreTaken(t *testing.T) {
	runOnce(t, nil, func(m *module) {
		m.mustRegister(nil)
		m.mustAuthorize()
		for _, acr := range append(m.supported("acr_values_supported"), "0", "2", "urn:mace:incommon:iap:silver") {
			q := m.request("prompt", "none", "claims", `{"id_token":{"acr":{"essential":true,"values":["`+acr+`"]}}}`)
			if !slices.Contains(m.supported("acr_values_supported"), acr) {
				m.mustFail(m.authorizeSilently(q), q.Get("state"), "unmet_authentication_requirements")
				continue
			}
			if acr != "1" { // the user has a password only
				m.mustFail(m.authorizeSilently(q), q.Get("state"), "unmet_authentication_requirements")
				continue
			}
			p := m.browser.Do(http.MethodGet, "/authorize?"+q.Encode(), nil, nil)
			if got := m.mustComplete(p, q).claims()["acr"]; got != acr {
				m.Errorf("got acr %v, want %s as asked for", got, acr)
			}
		}
		for name, others := range map[string][]string{
			"prompt_values_supported":  {"create", "Login"},
			"response_modes_supported": {"jwt", "query.jwt", "web_message"},
		} {
			advertised := m.supported(name)
			parameter := strings.TrimSuffix(strings.TrimSuffix(name, "s_supported"), "_value")
			for _, value := range append(advertised, others...) {
				q := m.request(parameter, value)
				p := m.browser.Do(http.MethodGet, "/authorize?"+q.Encode(), nil, nil)
				got := !strings.Contains(p.Header.Get("Location")+p.ErrorLink(), "error=invalid_request")
				want := slices.Contains(advertised, value)
				if got != want {
					m.Errorf("got %s=%s taken: %v, want %v as advertised", parameter, value, got, want)
				}
			}
		}
	})
}

// TestAdvertisedClaimsAreThoseThatCome: each advertised claim can be requested, and no other claim is returned.
func TestAdvertisedClaimsAreThoseThatCome(t *testing.T) {
	runOnce(t, nil, func(m *module) {
		m.mustRegister(map[string]any{"session_expiry": 600})
		advertised := m.supported("claims_supported")
		known := append(advertised, "iss", "aud", "exp", "iat", "nonce", "at_hash")
		for names := range slices.Chunk(advertised, 8) { // a code has room for no more
			for _, place := range []string{"id_token", "userinfo"} {
				claimsRequest := `{"` + place + `":{"` + strings.Join(names, `":null,"`) + `":null}}`
				g := m.redeem(
					m.client,
					m.callback(m.visit("/authorize?"+m.request("claims", claimsRequest).Encode())).Get("code"),
				)
				given := providertest.MustReadClaims(m, g.IDToken)
				if place == "userinfo" {
					maps.Copy(given, m.mustJSON(m.userinfo(http.MethodGet, g.AccessToken)))
				}
				for _, name := range names {
					if given[name] == nil {
						m.Errorf("got no %s although it was requested in %s", name, place)
					}
				}
				for name := range given {
					if !slices.Contains(known, name) {
						m.Errorf("got the claim %s in %s, which is not advertised", name, place)
					}
				}
			}
		}
	})
}
