package suitetest

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/curfew-id/curfew/provider/providertest"
)

func TestModuleIdtokenSignature(t *testing.T) {
	runModule(t, allResponseTypes, func(m *module) {
		m.mustRegister(nil) // names no algorithm: RS256 (Registration §2)
		m.mustAuthorize()
	})
}

func TestModuleIdtokenRs256(t *testing.T) {
	runModule(t, allResponseTypes, func(m *module) {
		m.mustRegister(map[string]any{"id_token_signed_response_alg": "RS256"})
		m.mustAuthorize()
	})
}

func TestModuleIdtokenUnsigned(t *testing.T) {
	none := map[string]any{"id_token_signed_response_alg": "none"}
	runModule(t, []string{"code", "code token"}, func(m *module) {
		if known := m.supported("id_token_signing_alg_values_supported"); !slices.Contains(known, "none") {
			m.Errorf("got id_token_signing_alg_values_supported %v; what can be registered is advertised", known)
		}
		m.mustRegister(none)
		q := m.request()
		id := m.redeem(m.client, m.callback(m.visit("/authorize?"+q.Encode())).Get("code")).IDToken
		head, rest, _ := strings.Cut(id, ".")
		raw, err := base64.RawURLEncoding.DecodeString(head)
		var header map[string]any
		if err != nil || json.Unmarshal(raw, &header) != nil || header["alg"] != "none" ||
			!strings.HasSuffix(rest, ".") {
			m.Fatalf("got header %s of %s, want alg none and no signature", raw, id)
		}
		if c := providertest.MustReadClaims(m, id); c["nonce"] != q.Get("nonce") || c["aud"] != m.client.ID ||
			c["iss"] != providertest.Issuer {
			m.Errorf("got claims %v", c)
		}
		// An unsigned ID token is not accepted as a hint.
		p := m.browser.Get("/end_session?" + url.Values{"id_token_hint": {id}}.Encode())
		if p.Status != http.StatusBadRequest || !strings.Contains(p.Body, "id_token_hint") {
			m.Errorf("got %d for an unsigned hint, want it refused", p.Status)
		}
	})
	runOnce(t, nil, func(m *module) {
		// Core §2: an ID token from the authorization endpoint must be signed.
		for _, m.responseType = range idTokenResponseTypes {
			m.mustRefuseRegistration(m.metadata(none), "invalid_client_metadata")
		}
	})
}

func TestModuleServerRotateKeys(t *testing.T) {
	runOnce(t, nil, func(m *module) {
		m.mustRegister(nil)
		before, first := m.checkKeys(), m.mustAuthorize()
		if err := m.op.Ring.Rotate(m.Context(), time.Now(), true, "test"); err != nil {
			m.Fatal(err)
		}
		after := m.checkKeys()
		var fresh, kept []jose.JSONWebKey
		for _, key := range after {
			same := func(old jose.JSONWebKey) bool { return reflect.DeepEqual(old, key) }
			similar := func(old jose.JSONWebKey) bool {
				return old.KeyID == key.KeyID || reflect.DeepEqual(old.Key, key.Key)
			}
			switch {
			case slices.ContainsFunc(before, same):
				kept = append(kept, key)
			case slices.ContainsFunc(before, similar):
				m.Errorf("got the new key %s with the kid or the value of an old one", key.KeyID)
			default:
				fresh = append(fresh, key)
			}
		}
		if len(fresh) == 0 || len(kept) == 0 {
			m.Errorf("got %d new keys and %d old ones, want both (Core §10.1.1)", len(fresh), len(kept))
		}
		// Tokens of the old key are still valid, and new tokens are signed with the new key.
		header, _ := m.verify(first.idToken)
		m.mustStaySignedIn(first, "prompt", "none", "id_token_hint", first.idToken)
		q := m.request()
		now, _ := m.verify(m.mustComplete(m.visit("/authorize?"+q.Encode()), q).idToken)
		if now.KeyID == header.KeyID ||
			!slices.ContainsFunc(fresh, func(k jose.JSONWebKey) bool { return k.KeyID == now.KeyID }) {
			m.Errorf("got a token signed by %s after the rotation, want a new key", now.KeyID)
		}
	})
}

// checkKeys checks the OP's JWK Set (RFC 7517, Core §10.1): it contains only public signing keys with distinct kids.
func (m *module) checkKeys() []jose.JSONWebKey {
	m.Helper()
	set := m.keys()
	var ids []string
	for _, key := range set.Keys {
		if !key.Valid() || !key.IsPublic() || key.KeyID == "" || slices.Contains(ids, key.KeyID) || key.Use != "sig" {
			m.Errorf("got the key %+v, want a public signing key with a kid of its own", key)
		}
		ids = append(ids, key.KeyID)
	}
	var raw struct {
		Keys []map[string]any `json:"keys"`
	}
	if err := json.Unmarshal([]byte(m.send(http.MethodGet, "/jwks", "", "", nil).Body), &raw); err != nil {
		m.Fatalf("read JWK Set: %v", err)
	}
	for _, key := range raw.Keys {
		for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "k"} {
			if key[private] != nil {
				m.Errorf("got the private member %s in the JWK Set", private)
			}
		}
		if kty := key["kty"]; kty != "RSA" && kty != "EC" { // the suite cannot compare other types
			m.Errorf("got a key of the kind %v by default", kty)
		}
	}
	return set.Keys
}
