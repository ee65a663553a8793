package suitetest

import (
	"strings"
	"testing"
)

func TestModuleEnsureRegisteredRedirectUri(t *testing.T) {
	runEveryMode(t, allResponseTypes, func(m *module) {
		m.mustRegister(nil)
		other := m.client.redirect + "/" + randomText(10)
		p := m.visit("/authorize?" + m.request("redirect_uri", other).Encode())
		m.mustShowError(p, "redirect_uri", "suite.example")
	})
}

func TestModuleEnsureRedirectUriInAuthorizationRequest(t *testing.T) {
	runEveryMode(t, allResponseTypes, func(m *module) {
		m.mustRegister(
			map[string]any{"redirect_uris": []string{suiteBase + "/callback", "https://example.org/redirect"}},
		)
		m.mustShowError(m.visit("/authorize?"+m.request("redirect_uri", "").Encode()), "redirect_uri", "suite.example")
	})
}

func TestModuleRedirectUriQueryOK(t *testing.T) {
	runModule(t, allResponseTypes, func(m *module) {
		m.mustRegister(map[string]any{"redirect_uris": []string{suiteBase + "/callback?bar=foo"}})
		m.mustAuthorize()
	})
}

func TestModuleRedirectUriQueryMismatch(t *testing.T) {
	runEveryMode(t, allResponseTypes, func(m *module) {
		m.mustRegister(map[string]any{"redirect_uris": []string{suiteBase + "/callback?bar=foo"}})
		m.mustShowError(
			m.visit("/authorize?"+m.request("redirect_uri", suiteBase+"/callback?foo=bar").Encode()),
			"redirect_uri",
			"suite.example",
		)
	})
}

func TestModuleRedirectUriQueryAdded(t *testing.T) {
	runEveryMode(t, allResponseTypes, func(m *module) {
		m.mustRegister(nil)
		m.mustShowError(
			m.visit("/authorize?"+m.request("redirect_uri", suiteBase+"/callback?foo=bar").Encode()),
			"redirect_uri",
			"suite.example",
		)
	})
}

func TestModuleRedirectUriRegfrag(t *testing.T) {
	runOnce(t, nil, func(m *module) {
		for _, m.responseType = range allResponseTypes {
			m.mustRefuseRegistration(
				map[string]any{"redirect_uris": []string{suiteBase + "/callback#foobar"}},
				"invalid_redirect_uri",
			)
		}
		p := m.register(map[string]any{"redirect_uris": []string{suiteBase + "/callback#"}})
		if !strings.Contains(p.Body, "invalid_redirect_uri") {
			m.Errorf("got %d %s for an empty fragment, want it refused too", p.Status, p.Body)
		}
	})
}
