package suitetest

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/provider"
	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/provider/providertest"
)

// signInPage returns the sign-in page of an authorization request.
func (m *module) signInPage() providertest.Page {
	m.Helper()
	p := m.browser.Get("/authorize?" + m.request().Encode())
	if p.Status != http.StatusOK || !strings.Contains(p.Body, `id="password"`) ||
		!strings.Contains(p.Body, "Conformance suite") {
		m.Fatalf("got %d, want a sign-in page that names the client", p.Status)
	}
	return p
}

func TestModuleRegistrationLogoUri(t *testing.T) {
	runModule(t, allResponseTypes, func(m *module) {
		m.mustRegister(map[string]any{"logo_uri": "https://suite.example/images/logo.png"})
		p := m.signInPage()
		if !strings.Contains(p.Body, `src="https://suite.example/images/logo.png" alt="logo"`) {
			m.Errorf("got a sign-in page without the logo:\n%s", p.Body)
		}
		csp := p.Header.Get("Content-Security-Policy") + ";"
		if !strings.Contains(csp, "img-src 'self' data: https://suite.example;") {
			m.Errorf("got policy %q, want the logo's origin in img-src", csp)
		}
	})
	// Without the operator's permission, pages show no logo.
	runOnce(t, func(c *provider.Config) { c.Registration.Logo = false }, func(m *module) {
		m.mustRegister(map[string]any{"logo_uri": "https://suite.example/images/logo.png"})
		if p := m.signInPage(); strings.Contains(p.Body, "logo.png") ||
			strings.Contains(p.Header.Get("Content-Security-Policy"), "suite.example") {
			m.Errorf("got a logo although logos are off")
		}
	})
}

func TestModuleRegistrationPolicyUri(t *testing.T) {
	runModule(t, allResponseTypes, func(m *module) {
		m.mustRegister(map[string]any{"policy_uri": "https://suite.example/policy.html"})
		if p := m.signInPage(); !strings.Contains(p.Body, `<a id="policy" href="https://suite.example/policy.html"`) ||
			!strings.Contains(p.Body, "privacy policy") {
			m.Errorf("got a sign-in page without the policy:\n%s", p.Body)
		}
	})
}

func TestModuleRegistrationTosUri(t *testing.T) {
	runModule(t, allResponseTypes, func(m *module) {
		m.mustRegister(map[string]any{"tos_uri": "https://suite.example/login.html"})
		if p := m.signInPage(); !strings.Contains(p.Body, `<a id="tos" href="https://suite.example/login.html"`) ||
			!strings.Contains(p.Body, "terms of service") {
			m.Errorf("got a sign-in page without the terms:\n%s", p.Body)
		}
	})
}

func TestModuleRegistrationJwksUri(t *testing.T) {
	runModule(t, codeResponseTypes, func(m *module) {
		m.mustRegister(
			map[string]any{
				"jwks":                       nil,
				"jwks_uri":                   m.publish("/client1_jwks", keySet(clientKeys()[0])),
				"token_endpoint_auth_method": "private_key_jwt",
			},
		)
		m.mustAuthorize()
		m.mustAuthorize()
		if len(m.web.fetched) != 1 {
			m.Errorf("got %v fetched for two signatures, want jwks_uri once", m.web.fetched)
		}
		m.advance(10 * time.Minute)
		m.mustAuthorize()
		if len(m.web.fetched) != 2 {
			m.Errorf(
				"got %v fetched, want jwks_uri again in time: a key that was withdrawn must stop to work",
				m.web.fetched,
			)
		}
	})
}

func TestModuleRegistrationSectorUri(t *testing.T) {
	runOnce(t, nil, func(m *module) {
		for _, m.responseType = range allResponseTypes {
			redirect := suiteBase + "/callback"
			sector := m.publish("/redirect_uris.json", `["`+redirect+`"]`)
			pairwise := map[string]any{"subject_type": "pairwise", "sector_identifier_uri": sector}
			m.mustRegister(pairwise)
			if m.web.fetched[len(m.web.fetched)-1] != sector {
				m.Errorf("got %v fetched, want the sector read at registration", m.web.fetched)
			}
		}
		// The clients of one sector get the same sub for a user. Other clients get other ones (Core §8.1).
		m.responseType = "code"
		same := map[string]any{"subject_type": "pairwise", "sector_identifier_uri": suiteBase + "/redirect_uris.json"}
		subjects := map[string]any{}
		for name, more := range map[string]map[string]any{
			"one":       same,
			"another":   same,
			"public":    nil,
			"elsewhere": {"subject_type": "pairwise", "redirect_uris": []string{"https://elsewhere.example/cb"}},
		} {
			m.mustRegister(more)
			o := m.mustAuthorize()
			subjects[name] = o.claims()["sub"]
			if info := m.mustJSON(m.userinfo(http.MethodGet, o.accessToken)); info["sub"] != o.claims()["sub"] {
				m.Errorf("%s: got sub %v at userinfo and %v in the ID token", name, info["sub"], o.claims()["sub"])
			}
		}
		if subjects["one"] != subjects["another"] || subjects["one"] == subjects["public"] ||
			subjects["one"] == subjects["elsewhere"] ||
			subjects["public"] == subjects["elsewhere"] {
			m.Errorf("got subjects %v", subjects)
		}
	})
}

func TestModuleRegistrationSectorBad(t *testing.T) {
	runOnce(t, nil, func(m *module) {
		for _, m.responseType = range allResponseTypes {
			sector := m.publish("/redirect_uris.json", `["https://example.com/op"]`)
			m.mustRefuseRegistration(
				map[string]any{"subject_type": "pairwise", "sector_identifier_uri": sector},
				"invalid_client_metadata",
			)
		}
		m.mustRefuseRegistration(
			map[string]any{"subject_type": "pairwise", "sector_identifier_uri": suiteBase + "/nothing.json"},
			"invalid_client_metadata",
		)
	})
}

func TestModule3rdPartyInitLogin(t *testing.T) {
	runOnce(t, nil, func(m *module) {
		for _, m.responseType = range allResponseTypes {
			const uri = suiteBase + "/initiate_login"
			c := m.mustRegister(map[string]any{"initiate_login_uri": uri})
			p := m.send(
				http.MethodGet,
				c.URI,
				"",
				"",
				http.Header{"Authorization": {"Bearer " + c.Token}, "Accept": {"application/json"}},
			)
			if answer := m.mustJSON(p); p.Status != http.StatusOK || answer["initiate_login_uri"] != uri ||
				answer["client_id"] != c.ID {
				m.Errorf("got %d %s from registration_client_uri, want initiate_login_uri", p.Status, p.Body)
			} else if answer["client_secret"] != nil || answer["registration_access_token"] != c.Token {
				m.Errorf("got %s, want the same token and no secret: only its hash is kept", p.Body)
			}
			m.unregister(c)
		}
	})
}

func TestModule3rdPartyInitLoginNohttps(t *testing.T) {
	runOnce(t, nil, func(m *module) {
		for _, m.responseType = range allResponseTypes {
			m.mustRefuseRegistration(
				map[string]any{"initiate_login_uri": "http://suite.example/test/a/curfew/initiate_login"},
				"invalid_client_metadata",
			)
		}
	})
}

// TestUnknownMetadataIsIgnoredAndNotEchoed (RFC 7591 §2): the response does not promise unsupported features, such as
// encryption.
func TestUnknownMetadataIsIgnoredAndNotEchoed(t *testing.T) {
	runOnce(t, nil, func(m *module) {
		unknown := map[string]any{
			"id_token_encrypted_response_alg": "RSA-OAEP",
			"userinfo_encrypted_response_alg": "RSA-OAEP",
			"request_object_encryption_alg":   "RSA-OAEP",
			"software_statement":              "a.b.c",
			"client_name#de":                  "Prüfstand",
			"dpop_bound_access_tokens":        true,
			"logo_uri":                        nil,
		}
		p := m.register(unknown)
		answer := m.mustJSON(p)
		for name := range unknown {
			if answer[name] != nil || p.Status != http.StatusCreated {
				m.Errorf("got %d with %s echoed as %v", p.Status, name, answer[name])
			}
		}
	})
}

// TestRegistrationAloneKeepsTheStrictDefaults: only an operator's settings relax the defaults, and only for the clients
// to which they apply.
func TestRegistrationAloneKeepsTheStrictDefaults(t *testing.T) {
	strict := func(c *provider.Config) {
		c.Registration.Mode, c.Registration.Defaults, c.Registration.Logo = policy.RegistrationOpen, nil, false
	}
	runOnce(t, strict, func(m *module) {
		// A client may not set these for itself.
		m.mustRegister(map[string]any{"require_pkce": false, "consent": "skip"})
		q := m.request("nonce", "")
		m.mustFail(m.callback(m.visit("/authorize?"+q.Encode())), q.Get("state"), "invalid_request")
		q = m.request("code_challenge", providertest.Challenge, "code_challenge_method", "S256")
		p := m.browser.Submit(
			m.browser.Get("/authorize?"+q.Encode()),
			"username",
			"pat",
			"password",
			providertest.Password,
		)
		if !strings.Contains(p.Body, `id="allow"`) {
			m.Errorf("got no question for consent:\n%s", p.Body)
		}
		m.mustComplete(m.finish(p), q, "code_verifier", providertest.Verifier)
		for _, implicit := range allResponseTypes[1:] {
			q := m.request(
				"response_type",
				implicit,
				"code_challenge",
				providertest.Challenge,
				"code_challenge_method",
				"S256",
			)
			m.mustFail(m.callbackAs(m.visit("/authorize?"+q.Encode()), false), q.Get("state"), "unauthorized_client")
		}
	})
	// The defaults of open registration do not apply to clients that an operator adds.
	runOnce(
		t,
		func(c *provider.Config) { c.Registration.Defaults = json.RawMessage(`{"require_pkce":false}`) },
		func(m *module) {
			m.mustRegister(nil)
			m.mustAuthorize()
			m.op.MustAddClient("atlas", nil)
			withoutPKCE := providertest.AuthorizeURL(
				"atlas",
				"code_challenge", "",
				"code_challenge_method", "",
				"nonce", "",
			)
			response := m.browser.Do(http.MethodGet, withoutPKCE, nil, nil).ResponseParams(m)
			if got := response.Get("error"); got != "invalid_request" {
				m.Errorf("got %q for another client without PKCE, want invalid_request", got)
			}
		},
	)
}

// TestScriptsOfOtherSitesCannotRegister: with CORS, every website could use its visitor's browser to register a client
// at a provider that only the visitor can reach.
func TestScriptsOfOtherSitesCannotRegister(t *testing.T) {
	runOnce(t, nil, func(m *module) {
		c := m.mustRegister(nil)
		preflight := http.Header{
			"Origin":                         {"https://app.example"},
			"Access-Control-Request-Method":  {"POST"},
			"Access-Control-Request-Headers": {"content-type"},
		}
		for _, target := range []string{"/register", c.URI} {
			if p := m.send(http.MethodOptions, target, "", "", preflight); p.Status < 400 ||
				p.Header.Get("Access-Control-Allow-Origin") != "" {
				m.Errorf("got %d %v for a preflight at %s", p.Status, p.Header, target)
			}
		}
		// A content type that needs no preflight is refused.
		const metadata = `{"redirect_uris":["https://app.example/cb"]}`
		p := m.send(http.MethodPost, "/register", "text/plain", metadata, nil)
		if p.Status != http.StatusUnsupportedMediaType {
			m.Errorf("got %d for metadata as text/plain", p.Status)
		}
	})
}
