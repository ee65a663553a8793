package suitetest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/provider/providertest"
)

// mustReuse uses a code again after a time. The second use is refused and revokes the tokens of the first (RFC 6749
// §4.1.2). The user stays signed in.
func (m *module) mustReuse(after time.Duration) {
	m.Helper()
	m.mustRegister(nil)
	o := m.mustAuthorize()
	m.advance(after)
	m.mustRefuse(m.redeem(m.client, o.params.Get("code")), http.StatusBadRequest, "invalid_grant")
	p := m.userinfo(http.MethodGet, o.accessToken)
	if p.Status != http.StatusUnauthorized ||
		!strings.Contains(p.Header.Get("WWW-Authenticate"), `error="invalid_token"`) {
		m.Errorf("got %d from userinfo for the first access token, want it revoked", p.Status)
	}
	m.mustStaySignedIn(o, "prompt", "none")
}

func TestModuleCodereuse(t *testing.T) {
	runModule(t, codeResponseTypes, func(m *module) { m.mustReuse(0) })
}

func TestModuleCodereuse30seconds(t *testing.T) {
	runModule(t, codeResponseTypes, func(m *module) { m.mustReuse(30 * time.Second) })
}

func TestModuleServerClientSecretPost(t *testing.T) {
	runModule(t, codeResponseTypes, func(m *module) {
		known := m.supported("token_endpoint_auth_methods_supported")
		if !slices.Contains(known, "client_secret_post") {
			m.Errorf("got token_endpoint_auth_methods_supported %v", known)
		}
		m.mustRegister(map[string]any{"token_endpoint_auth_method": "client_secret_post"})
		m.mustAuthorize()
	})
}

// offline are parameters that request offline access, which needs consent (Core §11).
var offline = []string{"scope", "openid offline_access", "prompt", "consent"}

func TestModuleRefreshToken(t *testing.T) {
	runModule(t, codeResponseTypes, func(m *module) {
		if known := m.supported("grant_types_supported"); !slices.Contains(known, "refresh_token") {
			m.Errorf("got grant_types_supported %v, want refresh_token among them", known)
		}
		grants := append(m.metadata(nil)["grant_types"].([]string), "refresh_token")
		first := m.mustRegister(map[string]any{"grant_types": grants})
		m.mustRefresh(m.mustAuthorize(offline...), "scope", "openid offline_access")

		second := m.mustRegister(map[string]any{"grant_types": grants, "client_name": "Conformance suite (second)"})
		m.browser = m.op.Browser()
		g := m.mustRefresh(m.mustAuthorize(offline...))

		// The first client cannot use the second client's refresh token, which stays valid.
		m.mustRefuse(
			m.token(
				first,
				url.Values{
					"grant_type":    {"refresh_token"},
					"refresh_token": {g.RefreshToken},
					"scope":         {"openid offline_access"},
				},
			),
			http.StatusBadRequest,
			"invalid_grant",
		)
		again := m.token(second, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {g.RefreshToken}})
		if again.Status != http.StatusOK {
			m.Errorf("got %+v after another client tried, want the refresh token to stay valid", again)
		}
		m.unregister(first)
	})
}

// mustRefresh uses a refresh token and compares the new ID token with the first one (Core §12.2).
func (m *module) mustRefresh(o outcome, more ...string) grant {
	m.Helper()
	if o.grant.RefreshToken == "" ||
		strings.ContainsFunc(o.grant.RefreshToken, func(r rune) bool { return r < ' ' || r > '~' }) {
		m.Fatalf("got refresh token %q", o.grant.RefreshToken)
	}
	m.advance(time.Second)
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {o.grant.RefreshToken}}
	for i := 0; i < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	g := m.token(m.client, form)
	if g.Status != http.StatusOK || g.AccessToken == o.accessToken {
		m.Fatalf("got %+v for a refresh token, want a new access token", g)
	}
	m.checkEntropy(g.AccessToken)
	m.checkEntropy(g.RefreshToken)
	c := providertest.MustReadClaims(m, g.IDToken)
	m.verify(g.IDToken)
	for _, name := range []string{"iss", "sub", "aud", "auth_time", "azp"} {
		if c[name] != o.tokenClaims[name] {
			m.Errorf("got %s %v in the new ID token, want %v", name, c[name], o.tokenClaims[name])
		}
	}
	if c["iat"] == o.tokenClaims["iat"] {
		m.Errorf("got the iat of the first ID token in the second")
	}
	m.mustBeActive(g.AccessToken)
	return g
}

func TestModuleRefreshTokenRpKeyRotation(t *testing.T) {
	runModule(t, codeResponseTypes, func(m *module) {
		m.mustRegister(
			map[string]any{
				"jwks":                       nil,
				"jwks_uri":                   m.publish("/client1_jwks", keySet(clientKeys()[0])),
				"token_endpoint_auth_method": "private_key_jwt",
				"grant_types":                append(m.metadata(nil)["grant_types"].([]string), "refresh_token"),
			},
		)
		o := m.mustAuthorize(offline...)
		m.publish("/client1_jwks", keySet(clientKeys()[1]))
		m.client.key = clientKeys()[1]
		m.advance(time.Minute)
		fetched := len(m.web.fetched)
		o.grant = m.mustRefresh(o)
		if got := len(m.web.fetched) - fetched; got != 1 {
			m.Errorf("got jwks_uri fetched %d times for an unknown kid, want once", got)
		}
		// The document does not contain the old key any more.
		m.client.key = clientKeys()[0]
		m.mustRefuse(
			m.token(m.client, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {o.grant.RefreshToken}}),
			http.StatusUnauthorized,
			"invalid_client",
		)
	})
}
