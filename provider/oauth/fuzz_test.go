package oauth_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// FuzzClientAssertion: whatever claims a client signs, and whatever else arrives as an assertion, the client is
// authenticated or refused. A jti counts once.
func FuzzClientAssertion(f *testing.F) {
	g := newRig(f)
	s := mustSigner(f, "k1")
	g.mustKeyClient("shop", s)
	good := g.claimsFor("shop")
	seed := func(name string, value any) {
		claims := g.claimsFor("shop")
		claims[name] = value
		text, err := json.Marshal(claims)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	seed("exp", 1e300)
	seed("exp", -1)
	seed("nbf", 1e300)
	seed("iat", -1e300)
	seed("iat", 0.5)
	seed("aud", []any{issuer, issuer})
	seed("aud", map[string]any{})
	seed("jti", "\u0000")
	seed("jti", good["jti"])
	seed("sub", "other")
	f.Add("null")
	f.Add("[]")
	f.Add(s.sign(f, g.claimsFor("shop")))
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: s.key, KeyID: s.kid}}, nil,
	)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		inTest := *g
		inTest.t = t
		inTest.authenticates(text)
		jws, err := signer.Sign([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		assertion, err := jws.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		first := inTest.authenticates(assertion)
		if second := inTest.authenticates(assertion); first && second {
			t.Errorf("an assertion counts twice: %s", text)
		}
	})
}

// authenticates sends an assertion and reports whether it authenticates the client. It fails the test if the answer is neither
// a success nor a refusal.
func (g *rig) authenticates(assertion string) bool {
	g.t.Helper()
	a := g.withAssertion(assertion)
	if a.status != http.StatusOK && a.status != http.StatusUnauthorized && a.status != http.StatusBadRequest {
		g.t.Errorf("got %d %s for %s", a.status, a.body, assertion)
	}
	return a.status == http.StatusOK
}
