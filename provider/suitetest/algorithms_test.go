package suitetest

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/curfew-id/curfew/provider"
	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/provider/register"
)

// This file tests the lists of algorithms in the discovery document (Discovery 1.0 §3).

// TestAdvertisedAlgorithmsAreThoseOfTheKeys: the lists contain the algorithms that the operator chose.
func TestAdvertisedAlgorithmsAreThoseOfTheKeys(t *testing.T) {
	for _, algorithms := range [][]string{{"RS256"}, {"RS256", "EdDSA"}, register.SigningAlgs()} {
		ring := func(c *provider.Config) {
			var err error
			if c.Ring, err = keys.Load(context.Background(), keys.Config{
				Store:      c.Store,
				File:       filepath.Join(t.TempDir(), "key"),
				Issuer:     providertest.Issuer,
				Algorithms: algorithms,
			}); err != nil {
				t.Fatal(err)
			}
		}
		runOnce(t, ring, func(m *module) {
			got := m.supported("id_token_signing_alg_values_supported")
			want := append(slices.Clone(algorithms), "none")
			if !slices.Equal(got, want) {
				m.Errorf("got ID tokens by %v, want %v", got, want)
			}
			if got := m.supported("userinfo_signing_alg_values_supported"); !slices.Equal(got, algorithms) {
				m.Errorf("got userinfo by %v, want %v", got, algorithms)
			}
			var published []string
			for _, key := range m.keys().Keys {
				published = append(published, key.Algorithm)
			}
			for _, alg := range register.SigningAlgs() {
				both := map[string]any{"id_token_signed_response_alg": alg, "userinfo_signed_response_alg": alg}
				on := slices.Contains(algorithms, alg)
				if p := m.register(both); (p.Status == http.StatusCreated) != on ||
					slices.Contains(published, alg) != on {
					m.Errorf(
						"%v: got %s registered with %d and published among %v",
						algorithms,
						alg,
						p.Status,
						published,
					)
				}
				if !on {
					continue
				}
				m.mustRegister(both)
				g := m.redeem(m.client, m.callback(m.visit("/authorize?"+m.request().Encode())).Get("code"))
				for what, text := range map[string]string{
					"ID token": g.IDToken,
					"userinfo": m.userinfo(http.MethodGet, g.AccessToken).Body,
				} {
					if header, _ := m.verify(text); header.Algorithm != alg {
						m.Errorf("got %s signed by %s, want %s", what, header.Algorithm, alg)
					}
				}
			}
		})
	}
}

// TestAdvertisedAlgorithmsOfClientsAreTakenAndNoOthers: in request objects and in client assertions.
func TestAdvertisedAlgorithmsOfClientsAreTakenAndNoOthers(t *testing.T) {
	private := signingKeys(t)
	runOnce(t, nil, func(m *module) {
		c := m.mustRegister(
			map[string]any{"jwks": publicSet(t, private), "token_endpoint_auth_method": "private_key_jwt"},
		)
		m.mustAuthorizeWith(c, private)
		objects := m.supported("request_object_signing_alg_values_supported")
		assertions := m.supported("token_endpoint_auth_signing_alg_values_supported")
		for _, endpoint := range []string{"introspection", "revocation"} {
			got := m.supported(endpoint + "_endpoint_auth_signing_alg_values_supported")
			if !slices.Equal(got, assertions) {
				m.Errorf("got %v at %s and %v at the token endpoint, want the same", got, endpoint, assertions)
			}
		}
		for alg, key := range private {
			q := m.request("prompt", "none")
			q.Set(
				"request",
				m.sign(jose.SignatureAlgorithm(alg), key, map[string]any{"iss": c.ID, "aud": providertest.Issuer}),
			)
			if got, want := m.authorizeSilently(q).Get("code") != "", slices.Contains(objects, alg); got != want {
				m.Errorf("got a request object by %s taken: %v, want %v as advertised", alg, got, want)
			}
			for _, path := range []string{"/token", "/introspect", "/revoke"} {
				got := m.acceptsCredentials(path, m.assertionWith(c, alg, key))
				want := slices.Contains(assertions, alg)
				if got != want {
					m.Errorf("got an assertion by %s taken at %s: %v, want %v as advertised", alg, path, got, want)
				}
			}
		}
		c = m.mustRegister(map[string]any{"token_endpoint_auth_method": "client_secret_jwt"})
		accepted := m.acceptsCredentials("/token", m.assertionWith(c, "HS256", []byte(c.Secret)))
		if !accepted || !slices.Contains(assertions, "HS256") {
			m.Errorf("got an assertion by HS256 refused, or it is not among %v", assertions)
		}
		q := m.request("prompt", "none")
		q.Set("request", m.sign(jose.HS256, []byte(c.Secret), map[string]any{"iss": c.ID, "aud": providertest.Issuer}))
		got := m.authorizeSilently(q).Get("error")
		if got != "invalid_request_object" || slices.Contains(objects, "HS256") {
			m.Errorf("got %q for a request object by HS256, which is not among %v", got, objects)
		}
	})
}

// mustAuthorizeWith signs the user in at a client that authenticates with the RSA key of private.
func (m *module) mustAuthorizeWith(c *suiteClient, private map[string]any) {
	m.Helper()
	c.key = jose.JSONWebKey{Key: private["RS256"]}
	m.mustAuthorize()
}

// assertionWith returns a form with a valid client assertion that is signed with this algorithm and key.
func (m *module) assertionWith(c *suiteClient, alg string, key any) url.Values {
	m.Helper()
	plain := *c
	plain.Method, plain.key = "private_key_jwt", clientKeys()[0]
	form := url.Values{}
	m.authenticate(&plain, form, http.Header{})
	claims := providertest.MustReadClaims(m, form.Get("client_assertion"))
	form.Set("client_assertion", m.sign(jose.SignatureAlgorithm(alg), key, claims))
	return form
}

// acceptsCredentials reports whether an endpoint accepts the credentials in form.
func (m *module) acceptsCredentials(path string, form url.Values) bool {
	m.Helper()
	form = maps.Clone(form)
	for name, value := range map[string]string{
		"grant_type":   "authorization_code",
		"code":         "not-issued-here",
		"redirect_uri": m.client.redirect,
		"token":        "not-issued-here",
	} {
		form.Set(name, value)
	}
	p := m.send(http.MethodPost, path, "application/x-www-form-urlencoded", form.Encode(), nil)
	return p.Status != http.StatusUnauthorized
}

// signingKeys returns a private key for each algorithm that clients may use, and for some that they may not.
func signingKeys(t *testing.T) map[string]any {
	t.Helper()
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsa := clientKeys()[0].Key
	return map[string]any{
		"RS256": rsa,
		"PS256": rsa,
		"RS384": rsa,
		"PS512": rsa,
		"ES256": p256,
		"ES384": p384,
		"EdDSA": edwards,
	}
}

// publicSet returns a JWK Set with the public keys, without alg.
func publicSet(t *testing.T, private map[string]any) json.RawMessage {
	t.Helper()
	var set jose.JSONWebKeySet
	for _, alg := range []string{"RS256", "ES256", "ES384", "EdDSA"} {
		public := private[alg].(crypto.Signer).Public()
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: public, KeyID: "of " + alg})
	}
	raw, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
