package suitetest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/curfew-id/curfew/provider"
	"github.com/curfew-id/curfew/provider/providertest"
)

// This file tests rules of the OAuth RFCs that concern the whole provider.

// TestLoopbackPortIsFreeForNativeApplicationsOnly (RFC 8252 §7.3).
func TestLoopbackPortIsFreeForNativeApplicationsOnly(t *testing.T) {
	runOnce(t, nil, func(m *module) {
		native := []string{"http://127.0.0.1/cb", "http://[::1]/cb", "com.example.app:/cb"}
		m.mustRegister(
			map[string]any{"application_type": "native", "redirect_uris": native, "token_endpoint_auth_method": "none"},
		)
		for uri, want := range map[string]bool{
			"http://127.0.0.1/cb":              true,
			"http://127.0.0.1:49152/cb":        true,
			"http://[::1]:5000/cb":             true,
			"com.example.app:/cb":              true,
			"http://127.0.0.1:0/cb":            false,
			"http://127.0.0.1:70000/cb":        false,
			"http://127.0.0.1:x/cb":            false,
			"http://127.0.0.1:5000/other":      false,
			"http://127.0.0.1.evil.example/cb": false,
			"http://127.0.0.1@evil.example/cb": false,
			"http://127.0.0.2:5000/cb":         false,
			"http://localhost:5000/cb":         false,
			"https://127.0.0.1:5000/cb":        false,
			"com.example.app:/cb2":             false,
		} {
			q := m.request(
				"redirect_uri",
				uri,
				"code_challenge",
				providertest.Challenge,
				"code_challenge_method",
				"S256",
				"prompt",
				"none",
			)
			p := m.browser.Do(http.MethodGet, "/authorize?"+q.Encode(), nil, nil)
			if got := strings.HasPrefix(p.Header.Get("Location"), uri+"?"); got != want ||
				!want && p.Status != http.StatusBadRequest {
				m.Errorf("%s: got %d to %q, want it taken: %v", uri, p.Status, p.Header.Get("Location"), want)
			}
		}
		m.mustRegister(map[string]any{"redirect_uris": []string{"https://rp.example:8443/cb"}})
		m.mustShowError(
			m.visit("/authorize?"+m.request("redirect_uri", "https://rp.example:9443/cb").Encode()),
			"redirect_uri",
			"rp.example",
		)
	})
}

// TestBothMetadataDocumentsAreOne (Discovery 1.0 §4, RFC 8414 §3): scripts of every origin may read and cache them.
func TestBothMetadataDocumentsAreOne(t *testing.T) {
	runOnce(t, nil, func(m *module) {
		oidc := m.send(
			http.MethodGet,
			"/.well-known/openid-configuration",
			"",
			"",
			http.Header{"Origin": {"https://app.example"}},
		)
		oauth := m.send(http.MethodGet, "/.well-known/oauth-authorization-server", "", "", nil)
		if oidc.Status != http.StatusOK || oidc.Body != oauth.Body ||
			oidc.Header.Get("Access-Control-Allow-Origin") != "*" ||
			oidc.Header.Get("Cache-Control") == "" {
			m.Errorf("got %d %v and %d, want one document for all callers", oidc.Status, oidc.Header, oauth.Status)
		}
	})
}

// TestIssuerWithAPath (Discovery 1.0 §4.1, RFC 8414 §3.1): the issuer's path comes before the well-known part of one
// document and after that of the other.
func TestIssuerWithAPath(t *testing.T) {
	runOnce(t, func(c *provider.Config) { c.Issuer = providertest.Issuer + "/auth" }, func(m *module) {
		for _, path := range []string{
			"/auth/.well-known/openid-configuration",
			"/.well-known/oauth-authorization-server/auth",
		} {
			d := m.mustJSON(m.send(http.MethodGet, path, "", "", nil))
			if d["issuer"] != providertest.Issuer+"/auth" ||
				d["authorization_endpoint"] != providertest.Issuer+"/auth/authorize" {
				m.Errorf(
					"got issuer %v and authorization_endpoint %v from %s",
					d["issuer"],
					d["authorization_endpoint"],
					path,
				)
			}
		}
	})
}

// TestPagesGiveNothingAway (RFC 9700 §4.2.4, §4.16): pages cannot be framed or cached, and send no full Referer.
func TestPagesGiveNothingAway(t *testing.T) {
	ask := func(c *provider.Config) { c.Registration.Defaults = []byte(`{"require_pkce":false}`) }
	runOnce(t, ask, func(m *module) {
		m.mustRegister(nil)
		login := m.browser.Get("/authorize?" + m.request().Encode())
		consent := m.browser.Submit(login, "username", "pat", "password", providertest.Password)
		pages := map[string]providertest.Page{
			"sign-in":  login,
			"consent":  consent,
			"error":    m.visit("/authorize"),
			"sign-out": m.browser.Get("/end_session"),
			"account":  m.browser.Get("/account"),
		}
		m.formPost = true
		pages["form_post"] = m.visit("/authorize?" + m.request().Encode())
		for name, p := range pages {
			h := p.Header
			if h.Get("X-Frame-Options") != "DENY" ||
				!strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'") ||
				h.Get("Cache-Control") != "no-store" {
				m.Errorf("%s: got %v", name, h)
			}
			if got := h.Get("Referrer-Policy"); !slices.Contains([]string{"no-referrer", "same-origin"}, got) {
				m.Errorf("%s: got Referrer-Policy %q", name, got)
			}
			if h.Get("Access-Control-Allow-Origin") != "" {
				m.Errorf("%s: got CORS on a page", name)
			}
		}
	})
}

// TestGrantsThatAreNotOfferedAreRefused (RFC 6749 §5.2; RFC 9700 §2.4 on passwords).
func TestGrantsThatAreNotOfferedAreRefused(t *testing.T) {
	runOnce(t, nil, func(m *module) {
		c := m.mustRegister(nil)
		for _, form := range []url.Values{
			{"grant_type": {"password"}, "username": {"pat"}, "password": {providertest.Password}, "scope": {"openid"}},
			{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {m.assertion(c)}},
			{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {"x"}},
			{
				"grant_type":         {"urn:ietf:params:oauth:grant-type:token-exchange"},
				"subject_token":      {"x"},
				"subject_token_type": {"x"},
			},
			{"grant_type": {"client_credentials"}}, // offered, but not registered
		} {
			if g := m.token(c, form); g.Status != http.StatusBadRequest ||
				g.Error != "unsupported_grant_type" && g.Error != "unauthorized_client" ||
				g.AccessToken != "" {
				m.Errorf("got %+v for %s", g, form.Get("grant_type"))
			}
		}
	})
}
