package register

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

func mustJWK(t *testing.T, key any, use string) json.RawMessage {
	t.Helper()
	raw, err := json.Marshal(jose.JSONWebKey{Key: key, Use: use})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestJWKSCorpus(t *testing.T) {
	good, _ := rsa.GenerateKey(rand.Reader, 2048)
	weak, even := good.PublicKey, good.PublicKey
	weak.N = new(big.Int).Rsh(good.N, 1024)
	even.E = 4
	edge, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	edPublic, edPrivate, _ := ed25519.GenerateKey(rand.Reader)
	set := func(keys ...json.RawMessage) string {
		parts := make([]string, len(keys))
		for i, k := range keys {
			parts[i] = string(k)
		}
		return `{"keys":[` + strings.Join(parts, ",") + `]}`
	}
	withKid := func(raw json.RawMessage) json.RawMessage {
		return json.RawMessage(strings.Replace(string(raw), "{", `{"kid":"same",`, 1))
	}
	for _, c := range []struct{ name, jwks, text string }{
		{
			"RSA, EC and EdDSA",
			set(mustJWK(t, &good.PublicKey, "sig"), mustJWK(t, &edge.PublicKey, ""), mustJWK(t, edPublic, "sig")),
			"",
		},
		{"private RSA", set(mustJWK(t, good, "sig")), "private member"},
		{"private EC", set(mustJWK(t, edge, "sig")), "private member"},
		{"private Ed25519", set(mustJWK(t, edPrivate, "sig")), "private member"},
		{"empty private member", set(json.RawMessage(`{"kty":"RSA","n":"AQAB","e":"AQAB","d":""}`)), "private member"},
		{"symmetric", set(json.RawMessage(`{"kty":"oct","k":"c2VjcmV0"}`)), "symmetric"},
		{"symmetric without key", set(json.RawMessage(`{"kty":"oct"}`)), "symmetric"},
		{"weak RSA", set(mustJWK(t, &weak, "sig")), "1024 bits"},
		{"even exponent", set(mustJWK(t, &even, "sig")), "exponent"},
		{"secp256k1", set(json.RawMessage(`{"kty":"EC","crv":"secp256k1","x":"AAAA","y":"AAAA"}`)), "not a key"},
		{"P-224", set(json.RawMessage(`{"kty":"EC","crv":"P-224","x":"AAAA","y":"AAAA"}`)), "not a key"},
		{"X25519", set(json.RawMessage(`{"kty":"OKP","crv":"X25519","x":"AAAA"}`)), "not a key"},
		{
			"off the curve",
			set(json.RawMessage(`{"kty":"EC","crv":"P-256","x":"` + strings.Repeat("A", 43) + `","y":"` + strings.Repeat("A", 43) + `"}`)),
			"not a key",
		},
		{"no type", set(json.RawMessage(`{}`)), "not a key"},
		{"no object", `{"keys":["x"]}`, "not a JSON object"},
		{"no keys", `{"key":[]}`, "not a JWK Set"},
		{"an array", `[]`, "not a JWK Set"},
		{"one kid twice", set(withKid(mustJWK(t, &edge.PublicKey, "")), withKid(mustJWK(t, edPublic, ""))), "twice"},
		{"encryption keys only", set(mustJWK(t, &edge.PublicKey, "enc")), "no signing key"},
		{"none", set(), "no signing key"},
		{"too many", `{"keys":[` + strings.Repeat(`{},`, 100) + `{}]}`, "more than 100"},
	} {
		over := `{"token_endpoint_auth_method":"private_key_jwt","jwks":` + c.jwks + `}`
		got := mustProblems(t, over, Policy{})
		switch {
		case c.text == "" && got != nil:
			t.Errorf("%s: got %v, want no problem", c.name, got)
		case c.text != "" && (len(got) == 0 || !strings.Contains(got.Error(), c.text)):
			t.Errorf("%s: got %v, want %q", c.name, got, c.text)
		}
		for _, one := range got {
			if one.Field != "jwks" || one.Code != InvalidMetadata {
				t.Errorf("%s: got %s at %s, want %s at jwks", c.name, one.Code, one.Field, InvalidMetadata)
			}
		}
	}
}
