package oauth_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/curfew-id/curfew/provider/egress"
	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/oauth"
	"github.com/curfew-id/curfew/storage"
)

// signer is a relying party's key.
type signer struct {
	key *ecdsa.PrivateKey
	kid string
}

func mustSigner(t testing.TB, kid string) signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return signer{key, kid}
}

func (s signer) set() []byte {
	raw, err := json.Marshal(
		jose.JSONWebKeySet{
			Keys: []jose.JSONWebKey{{Key: s.key.Public(), KeyID: s.kid, Algorithm: "ES256", Use: "sig"}},
		},
	)
	if err != nil {
		panic(err)
	}
	return raw
}

func (s signer) sign(t testing.TB, claims any) string {
	return mustJWS(t, jose.ES256, jose.JSONWebKey{Key: s.key, KeyID: s.kid}, claims)
}

func mustJWS(t testing.TB, alg jose.SignatureAlgorithm, key any, claims any) string {
	t.Helper()
	made, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, nil)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := made.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// claimsFor are those of a good assertion.
func (g *rig) claimsFor(client string) map[string]any {
	return map[string]any{
		"iss": client,
		"sub": client,
		"aud": issuer,
		"jti": keys.Random(),
		"exp": g.clock.Now().Add(time.Minute).Unix(),
		"iat": g.clock.Now().Unix(),
	}
}

func (g *rig) withAssertion(assertion string, more ...string) response {
	g.t.Helper()
	return g.do(
		g.http.Revoke,
		post(
			form(
				append(
					[]string{"token", "x", "client_assertion_type", oauth.AssertionType, "client_assertion", assertion},
					more...)...),
		),
	)
}

func (g *rig) mustKeyClient(id string, s signer) {
	g.mustClient(id, func(c *storage.Client) {
		c.TokenEndpointAuthMethod, c.JWKS, c.SecretHash = "private_key_jwt", s.set(), storage.Hash{}
	})
}

func TestAssertionCountsOnce(t *testing.T) {
	g := newRig(t)
	s := mustSigner(t, "k1")
	g.mustKeyClient("shop", s)
	assertion := s.sign(t, g.claimsFor("shop"))
	if a := g.withAssertion(assertion); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	g.mustRefuse(g.withAssertion(assertion), 401, "invalid_client")
	g.clock.Advance(90 * time.Second) // past exp, within the skew: still remembered
	g.mustRefuse(g.withAssertion(assertion), 401, "invalid_client")
	// Another client may use the same jti.
	other := mustSigner(t, "k1")
	g.mustKeyClient("mail", other)
	claims := g.claimsFor("mail")
	claims["jti"] = g.claims(assertion)["jti"]
	if a := g.withAssertion(other.sign(t, claims)); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
}

// A clock that runs ahead makes the store forget what was used; put back, it must not let a captured assertion in,
// nor keep its owner out.
func TestAssertionThatWasForgottenIsNotTakenAgain(t *testing.T) {
	g := newRig(t)
	s := mustSigner(t, "1")
	g.mustKeyClient("keyed", s)
	began := g.clock.Now()
	sweep := func(at time.Time) {
		if _, err := g.store.Sweep(t.Context(), at, 1000); err != nil {
			t.Fatal(err)
		}
	}
	var captured []string
	for _, iat := range []bool{true, false} {
		claims := g.claimsFor("keyed")
		if claims["exp"] = began.Add(30 * time.Minute).Unix(); !iat {
			delete(claims, "iat")
		}
		captured = append(captured, s.sign(t, claims))
		if got := g.withAssertion(captured[len(captured)-1]); got.status != http.StatusOK {
			t.Fatalf("got %+v for a good assertion", got)
		}
	}
	sweep(began.Add(10 * time.Hour))
	for _, noticed := range []bool{false, true} {
		if noticed {
			sweep(g.clock.Now())
		}
		for i, assertion := range captured {
			if got := g.withAssertion(assertion); got.status != http.StatusUnauthorized {
				t.Errorf("noticed %t: got %+v for assertion %d again, want it refused", noticed, got, i)
			}
		}
	}
	g.clock.Set(began.Add(2 * time.Minute))
	if got := g.withAssertion(s.sign(t, g.claimsFor("keyed"))); got.status != http.StatusOK {
		t.Errorf("got %+v for an assertion made after the clock was put back", got)
	}
	g.clock.Set(began.Add(2 * time.Hour))
	claims := g.claimsFor("keyed")
	delete(claims, "iat")
	if got := g.withAssertion(s.sign(t, claims)); got.status != http.StatusOK {
		t.Errorf("got %+v for one without iat when no captured one can be good", got)
	}
}

func TestAssertionAudienceIsTheIssuerOrTheTokenEndpoint(t *testing.T) {
	g := newRig(t)
	s := mustSigner(t, "k1")
	g.mustKeyClient("shop", s)
	for _, c := range []struct {
		aud  any
		good bool
	}{
		{issuer, true},
		{[]string{issuer}, true},
		{issuer + "/token", true},
		{[]string{"https://other.example", issuer}, false},
		{[]string{}, false},
		{issuer + "/", false},
		{"https://other.example", false},
		{nil, false},
		{[]any{1}, false},
		{1, false},
		{map[string]any{}, false},
		{issuer + "/introspect", false},
	} {
		claims := g.claimsFor("shop")
		claims["aud"] = c.aud
		a := g.withAssertion(s.sign(t, claims))
		if c.good != (a.status == http.StatusOK) {
			t.Errorf("aud %v: %d %s", c.aud, a.status, a.body)
		}
	}
}

func TestBadAssertionsAreRefused(t *testing.T) {
	g := newRig(t)
	s := mustSigner(t, "k1")
	g.mustKeyClient("shop", s)
	g.mustKeyClient("mail", mustSigner(t, "k1"))
	g.mustClient("basic", nil)
	change := func(name string, v any) map[string]any {
		c := g.claimsFor("shop")
		if c[name] = v; v == nil {
			delete(c, name)
		}
		return c
	}
	encode := func(v string) string { return base64.RawURLEncoding.EncodeToString([]byte(v)) }
	good := s.sign(t, g.claimsFor("shop"))
	public, _ := json.Marshal(s.key.Public())
	for name, assertion := range map[string]string{
		"no jti":                 s.sign(t, change("jti", nil)),
		"no exp":                 s.sign(t, change("exp", nil)),
		"expired":                s.sign(t, change("exp", g.clock.Now().Add(-61*time.Second).Unix())),
		"for ever":               s.sign(t, change("exp", g.clock.Now().Add(24*time.Hour).Unix())),
		"exp as text":            s.sign(t, change("exp", "tomorrow")),
		"from the future":        s.sign(t, change("iat", g.clock.Now().Add(2*time.Minute).Unix())),
		"not yet":                s.sign(t, change("nbf", g.clock.Now().Add(2*time.Minute).Unix())),
		"another issuer":         s.sign(t, change("iss", "mail")),
		"another subject":        s.sign(t, change("sub", "mail")),
		"another client's key":   mustSigner(t, "k1").sign(t, g.claimsFor("shop")),
		"unknown kid":            signer{s.key, "k2"}.sign(t, g.claimsFor("shop")),
		"alg none":               encode(`{"alg":"none"}`) + "." + encode(fmt.Sprintf(`{"iss":"shop","sub":"shop","aud":%q,"jti":"1","exp":%d}`, issuer, g.clock.Now().Unix()+60)) + ".",
		"HMAC by the public key": mustJWS(t, jose.HS256, public, g.claimsFor("shop")),
		"a client without keys":  s.sign(t, g.claimsFor("basic")),
		"no client":              s.sign(t, g.claimsFor("nobody")),
		"cut":                    good[:len(good)-2],
		"many dots":              good + ".....",
		"line breaks":            good[:20] + "\r\n" + good[20:],
		"another typ":            mustTypedJWS(t, "logout+jwt", s, g.claimsFor("shop")),
		"long":                   encode(`{"alg":"ES256"}`) + "." + encode(`{"sub":"shop"}`) + "." + string(make([]byte, 9000)),
		"no payload":             encode(`{"alg":"ES256"}`) + ".e30.AAAA",
		"sub a number":           encode(`{"alg":"ES256"}`) + "." + encode(`{"sub":1}`) + ".AAAA",
	} {
		if a := g.withAssertion(assertion); a.status != 401 || a.text("error") != "invalid_client" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	g.mustRefuse(g.withAssertion(good, "client_id", "mail"), 401, "invalid_client")
	if a := g.withAssertion(good, "client_id", "shop"); a.status != http.StatusOK {
		t.Errorf("the good one afterwards: %d %s", a.status, a.body)
	}
}

// TestAssertionTypIsJWTOrItsOwn: RFC 8725 §3.11, draft-ietf-oauth-rfc7523bis.
func TestAssertionTypIsJWTOrItsOwn(t *testing.T) {
	g := newRig(t)
	s := mustSigner(t, "k1")
	g.mustKeyClient("shop", s)
	for _, typ := range []string{"JWT", "jwt", "client-authentication+jwt"} {
		if a := g.withAssertion(mustTypedJWS(t, typ, s, g.claimsFor("shop"))); a.status != http.StatusOK {
			t.Errorf("%s: got %d %s", typ, a.status, a.body)
		}
	}
}

// TestClientMayBeHeldToTheIssuerAsAudience: assertion_audience issuer.
func TestClientMayBeHeldToTheIssuerAsAudience(t *testing.T) {
	g := newRig(t)
	s := mustSigner(t, "k1")
	g.mustClient("shop", func(c *storage.Client) {
		c.TokenEndpointAuthMethod, c.JWKS, c.SecretHash = "private_key_jwt", s.set(), storage.Hash{}
		c.AssertionAudience = "issuer"
	})
	for audience, want := range map[string]int{issuer: http.StatusOK, issuer + "/token": http.StatusUnauthorized} {
		claims := g.claimsFor("shop")
		claims["aud"] = audience
		if a := g.withAssertion(s.sign(t, claims)); a.status != want {
			t.Errorf("%s: got %d %s, want %d", audience, a.status, a.body, want)
		}
	}
}

func mustTypedJWS(t testing.TB, typ string, s signer, claims any) string {
	t.Helper()
	key := jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: s.key, KeyID: s.kid}}
	made, err := jose.NewSigner(key, new(jose.SignerOptions).WithType(jose.ContentType(typ)))
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := made.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestAssertionBySharedSecret(t *testing.T) {
	g := newRig(t)
	wrapped, err := g.ring.WrapSecret("shop", []byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	g.mustClient(
		"shop",
		func(c *storage.Client) { c.TokenEndpointAuthMethod, c.SecretWrapped = "client_secret_jwt", wrapped },
	)
	if a := g.withAssertion(mustJWS(t, jose.HS256, []byte(secret), g.claimsFor("shop"))); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	g.mustRefuse(
		g.withAssertion(mustJWS(t, jose.HS256, []byte(secret+"!"), g.claimsFor("shop"))),
		401,
		"invalid_client",
	)
	s := mustSigner(t, "k1")
	g.mustRefuse(g.withAssertion(s.sign(t, g.claimsFor("shop"))), 401, "invalid_client")
}

func TestRegisteredAssertionAlgorithmIsHeldTo(t *testing.T) {
	g := newRig(t)
	s := mustSigner(t, "k1")
	g.mustClient("shop", func(c *storage.Client) {
		c.TokenEndpointAuthMethod, c.JWKS, c.TokenEndpointAuthAlg = "private_key_jwt", s.set(), "PS256"
	})
	g.mustRefuse(g.withAssertion(s.sign(t, g.claimsFor("shop"))), 401, "invalid_client")
}

// rotatingJWKS is a jwks_uri whose document changes between two fetches, unless the answer may be old.
type rotatingJWKS struct {
	old, fresh []byte
	fetches    int
}

func (r *rotatingJWKS) FetchJSON(_ context.Context, _ string, _ int64, maxAge time.Duration) ([]byte, error) {
	r.fetches++
	if maxAge > 0 {
		return r.old, nil
	}
	return r.fresh, nil
}

func TestUnknownKidFetchesTheKeysAgain(t *testing.T) {
	g := newRig(t)
	before, after := mustSigner(t, "k1"), mustSigner(t, "k2")
	there := &rotatingJWKS{before.set(), after.set(), 0}
	g.server.Fetch = there
	g.mustClient("shop", func(c *storage.Client) {
		c.TokenEndpointAuthMethod, c.JWKSURI = "private_key_jwt", "https://rp.example.com/jwks"
	})
	if a := g.withAssertion(after.sign(t, g.claimsFor("shop"))); a.status != http.StatusOK || there.fetches != 2 {
		t.Fatalf("%d %s after %d fetches", a.status, a.body, there.fetches)
	}
	there.fetches = 0
	if a := g.withAssertion(before.sign(t, g.claimsFor("shop"))); a.status != http.StatusOK || there.fetches != 1 {
		t.Fatalf("%d %s after %d fetches", a.status, a.body, there.fetches)
	}
	there.fetches = 0
	forged := signer{after.key, "k1"}
	g.mustRefuse(g.withAssertion(forged.sign(t, g.claimsFor("shop"))), 401, "invalid_client")
	if there.fetches != 1 {
		t.Errorf("a signature that a known key does not fit made %d fetches", there.fetches)
	}
}

func TestKeyForEncryptionVerifiesNothing(t *testing.T) {
	g := newRig(t)
	s := mustSigner(t, "k1")
	for name, key := range map[string]jose.JSONWebKey{
		"use enc":           {Key: s.key.Public(), KeyID: "k1", Use: "enc"},
		"another algorithm": {Key: s.key.Public(), KeyID: "k1", Algorithm: "ES384"},
		"private":           {Key: s.key, KeyID: "k1"},
	} {
		set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key}})
		if err != nil {
			t.Fatal(err)
		}
		g.mustClient(name, func(c *storage.Client) { c.TokenEndpointAuthMethod, c.JWKS = "private_key_jwt", set })
		g.mustRefuse(g.withAssertion(s.sign(t, g.claimsFor(name))), 401, "invalid_client")
	}
}

// TestOnlyTheFirstHundredKeysAreRead: otherwise a client could make the provider try a long list of keys for each
// forged signature.
func TestOnlyTheFirstHundredKeysAreRead(t *testing.T) {
	g := newRig(t)
	s := mustSigner(t, "k1")
	for name, c := range map[string]struct{ before, want int }{
		"last":   {99, http.StatusOK},
		"beyond": {100, http.StatusUnauthorized},
	} {
		var set jose.JSONWebKeySet
		for i := range c.before {
			set.Keys = append(set.Keys, jose.JSONWebKey{Key: s.key.Public(), KeyID: "other" + strconv.Itoa(i)})
		}
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: s.key.Public(), KeyID: "k1"})
		raw, err := json.Marshal(set)
		if err != nil {
			t.Fatal(err)
		}
		g.mustClient(name, func(c *storage.Client) { c.TokenEndpointAuthMethod, c.JWKS = "private_key_jwt", raw })
		if a := g.withAssertion(s.sign(t, g.claimsFor(name))); a.status != c.want {
			t.Errorf("%s: got %d %s, want %d", name, a.status, a.body, c.want)
		}
	}
}

// TestUnreachableKeysAreNoFaultOfTheClient: it is not let in, but may try again.
func TestUnreachableKeysAreNoFaultOfTheClient(t *testing.T) {
	g := newRig(t)
	s := mustSigner(t, "k1")
	g.mustClient("shop", func(c *storage.Client) {
		c.TokenEndpointAuthMethod, c.JWKSURI = "private_key_jwt", "https://unreachable.example.com/jwks"
	})
	a := g.withAssertion(s.sign(t, g.claimsFor("shop")))
	g.mustRefuse(a, 503, "server_error")
	if a.header.Get("Retry-After") == "" {
		t.Error("got no Retry-After")
	}
}

// TestStrangersDoNotLearnWhatAJWKSURIAnswers: a client that registered itself names a jwks_uri. A URL without a document,
// one with a document that is no key set and one with other keys give one answer.
func TestStrangersDoNotLearnWhatAJWKSURIAnswers(t *testing.T) {
	g := newRig(t)
	s, other := mustSigner(t, "k1"), mustSigner(t, "k1")
	g.mustClient("stranger", func(c *storage.Client) {
		c.TokenEndpointAuthMethod, c.JWKSURI, c.Dynamic = "private_key_jwt", "https://inside.example/", true
	})
	answers := map[string]bool{}
	for _, document := range []jwksDocument{nil, []byte("<html>"), other.set()} {
		g.server.SelfFetch = document
		a := g.withAssertion(s.sign(t, g.claimsFor("stranger")))
		answers[strconv.Itoa(a.status)+a.header.Get("Retry-After")+a.body] = true
	}
	if len(answers) != 1 {
		t.Errorf("got the answers %v, want one", answers)
	}
}

// jwksDocument is the document at a jwks_uri; nil: there is none.
type jwksDocument []byte

func (d jwksDocument) FetchJSON(context.Context, string, int64, time.Duration) ([]byte, error) {
	if d == nil {
		return nil, &egress.Error{Class: egress.Status, Host: "inside.example"}
	}
	return d, nil
}
