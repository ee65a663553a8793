package suitetest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/curfew-id/curfew/provider/providertest"
)

// clientMethods are the suite's variants of client authentication, except mutual TLS.
var clientMethods = []string{
	"none",
	"client_secret_basic",
	"client_secret_post",
	"client_secret_jwt",
	"private_key_jwt",
}

// mustAuthorizeBy makes an authorization request for a client with this authentication method. A client without
// credentials needs PKCE (RFC 9700 §2.1.1).
func (m *module) mustAuthorizeBy(method string) outcome {
	m.Helper()
	if method != "none" {
		return m.mustAuthorize()
	}
	q := m.request("code_challenge", providertest.Challenge, "code_challenge_method", "S256")
	return m.mustComplete(m.visit("/authorize?"+q.Encode()), q, "code_verifier", providertest.Verifier)
}

func TestModuleEnsureClientAssertionWithIssAudSucceeds(t *testing.T) {
	for _, method := range []string{"client_secret_jwt", "private_key_jwt"} {
		runModule(t, codeResponseTypes, func(m *module) {
			m.mustRegister(map[string]any{"token_endpoint_auth_method": method}).audience = providertest.Issuer
			m.mustAuthorize()
		})
	}
}

// TestEveryClientAuthenticationRunsTheServerModule: the modules oidcc-server and oidcc-codereuse pass with each
// advertised method. A client cannot use another method than its registered one.
func TestEveryClientAuthenticationRunsTheServerModule(t *testing.T) {
	for _, method := range clientMethods {
		t.Run(method, func(t *testing.T) {
			runModule(t, allResponseTypes, func(m *module) {
				got := m.supported("token_endpoint_auth_methods_supported")
				if !slices.Contains(got, method) || len(got) != len(clientMethods) {
					m.Errorf("got token_endpoint_auth_methods_supported %v", got)
				}
				c := m.mustRegister(map[string]any{"token_endpoint_auth_method": method})
				wantSecret := strings.HasPrefix(method, "client_secret_")
				if c.Method != method || (c.Secret != "") != wantSecret {
					m.Errorf("got method %q and a secret: %v", c.Method, c.Secret != "")
				}
				o := m.mustAuthorizeBy(method)
				if !m.includes("code") {
					return
				}
				m.mustRefuse(
					m.redeem(c, o.params.Get("code"), verifierIf(method == "none")...),
					http.StatusBadRequest,
					"invalid_grant",
				)
				for _, other := range clientMethods {
					if other == method || c.Secret == "" && strings.HasPrefix(other, "client_secret_") {
						continue // the client has no secret to send
					}
					c.Method = other
					m.mustRefuse(m.redeem(c, o.params.Get("code")), http.StatusUnauthorized, "invalid_client")
				}
				c.Method = method
			})
		})
	}
}

// verifierIf returns the code_verifier parameter if it is needed.
func verifierIf(needed bool) []string {
	if needed {
		return []string{"code_verifier", providertest.Verifier}
	}
	return nil
}

// TestClientAssertionsAreHeldToCore9: an assertion must be for Curfew, from the client, current, and is accepted once.
func TestClientAssertionsAreHeldToCore9(t *testing.T) {
	runOnce(t, nil, func(m *module) {
		c := m.mustRegister(map[string]any{"token_endpoint_auth_method": "private_key_jwt"})
		try := func(assertion string) grant {
			m.Helper()
			form := url.Values{
				"grant_type":   {"authorization_code"},
				"code":         {"not-issued-here"},
				"redirect_uri": {c.redirect},
				"client_id":    {c.ID},
				"client_assertion_type": {
					"urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
				},
				"client_assertion": {assertion},
			}
			none := *c
			none.Method = "none" // the form contains the credentials already
			return m.token(&none, form)
		}
		claims := func(change func(map[string]any)) map[string]any {
			now := time.Now()
			all := map[string]any{
				"iss": c.ID,
				"sub": c.ID,
				"aud": providertest.Issuer + "/token",
				"jti": randomText(20),
				"nbf": now.Unix(),
				"iat": now.Unix(),
				"exp": now.Add(time.Minute).Unix(),
			}
			change(all)
			return all
		}
		good := m.sign(jose.RS256, c.key, claims(func(map[string]any) {}))
		m.mustRefuse(try(good), http.StatusBadRequest, "invalid_grant") // the client is known, the code is not
		m.mustRefuse(try(good), http.StatusUnauthorized, "invalid_client")
		for name, change := range map[string]func(map[string]any){
			"for another issuer":    func(c map[string]any) { c["aud"] = "https://other.example/token" },
			"for the authorization": func(c map[string]any) { c["aud"] = providertest.Issuer + "/authorize" },
			"expired":               func(c map[string]any) { c["exp"] = time.Now().Add(-5 * time.Minute).Unix() },
			"without exp":           func(c map[string]any) { delete(c, "exp") },
			"without jti":           func(c map[string]any) { delete(c, "jti") },
			"from another client":   func(c map[string]any) { c["iss"] = "other" },
			"from the future":       func(c map[string]any) { c["nbf"] = time.Now().Add(time.Hour).Unix() },
		} {
			if g := try(m.sign(jose.RS256, c.key, claims(change))); g.Status != http.StatusUnauthorized ||
				g.Error != "invalid_client" {
				m.Errorf("%s: got %+v, want invalid_client", name, g)
			}
		}
		m.mustRefuse(try(m.unsigned(claims(func(map[string]any) {}))), http.StatusUnauthorized, "invalid_client")
		m.mustRefuse(
			try(m.sign(jose.RS256, clientKeys()[1], claims(func(map[string]any) {}))),
			http.StatusUnauthorized,
			"invalid_client",
		)
	})
}
