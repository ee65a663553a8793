package keys

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

var rawURL = base64.RawURLEncoding

// accessToken are the claims of a JWT access token issued at that moment.
func accessToken(at time.Time) map[string]any {
	return map[string]any{
		"iss":       issuer,
		"sub":       "anna",
		"aud":       []string{"https://api.example.com"},
		"client_id": "app",
		"jti":       "t1",
		"sid":       "s1",
		"scope":     "openid orders",
		"iat":       at.Unix(),
		"exp":       at.Add(10 * time.Minute).Unix(),
	}
}

func withChanges(claims map[string]any, changes map[string]any) map[string]any {
	c := maps.Clone(claims)
	for name, v := range changes {
		if v == nil {
			delete(c, name)
		} else {
			c[name] = v
		}
	}
	return c
}

func TestExpiredHintCounts(t *testing.T) {
	p := mustFixture(t)
	r := p.mustLoad(t)
	hint := mustSign(t, r, ES256, "JWT", idToken(p.now))
	p.mustAdvance(t, r, 30*24*time.Hour)
	got, err := r.VerifyHint(hint)
	want := Hint{
		Client:   "app",
		Subject:  "anna",
		SID:      "s1",
		Issued:   start,
		Expires:  start.Add(10 * time.Minute),
		AuthTime: start,
	}
	if err != nil || got.Client != want.Client || got.Subject != want.Subject || got.SID != want.SID ||
		!got.Issued.Equal(want.Issued) || !got.Expires.Equal(want.Expires) || !got.AuthTime.Equal(want.AuthTime) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

func TestClientOfAHint(t *testing.T) {
	p := mustFixture(t)
	r := p.mustLoad(t)
	for _, tt := range []struct {
		changes map[string]any
		want    string
	}{
		{map[string]any{"aud": []string{"app"}}, "app"},
		{map[string]any{"aud": []string{"other", "app"}, "azp": "app"}, "app"},
		{map[string]any{"sid": nil, "auth_time": nil}, "app"},
	} {
		h, err := r.VerifyHint(mustSign(t, r, ES256, "JWT", withChanges(idToken(p.now), tt.changes)))
		if err != nil || h.Client != tt.want {
			t.Errorf("%v: got %q, %v; want %q", tt.changes, h.Client, err, tt.want)
		}
	}
}

func TestOnlyOurIDTokensAreHints(t *testing.T) {
	p := mustFixture(t)
	r := p.mustLoad(t)
	good := idToken(p.now)
	sign := func(typ string, changes map[string]any) string {
		return mustSign(t, r, ES256, typ, withChanges(good, changes))
	}
	valid := sign("JWT", nil)
	if _, err := r.VerifyHint(valid); err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(valid, ".")

	foreign := mustFixture(t).mustLoad(t)
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	byHand := func(key jose.SigningKey, o *jose.SignerOptions) string {
		signer, err := jose.NewSigner(key, o)
		if err != nil {
			t.Fatal(err)
		}
		payload, _ := json.Marshal(good)
		jws, err := signer.Sign(payload)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := jws.CompactSerialize()
		return text
	}
	header := func(text string) string { return rawURL.EncodeToString([]byte(text)) }
	kid := kidOf(t, r)
	body, _ := r.JWKS()

	for name, token := range map[string]string{
		"empty":           "",
		"text":            "not a token",
		"dots":            "..",
		"an access token": mustSign(t, r, ES256, "at+jwt", accessToken(p.now)),
		"an access token as JWT": mustSign(
			t,
			r,
			ES256,
			"JWT",
			withChanges(accessToken(p.now), map[string]any{"iss": "https://else.example"}),
		),
		"a logout token": sign(
			"logout+jwt",
			map[string]any{"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}},
		),
		"a logout token as JWT": sign(
			"JWT",
			map[string]any{"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}},
		),
		"a logout token, no exp": sign("JWT", map[string]any{"exp": nil, "events": map[string]any{}}),
		"no typ":                 sign("", nil),
		"signed userinfo":        sign("JWT", map[string]any{"iat": nil, "exp": nil}),
		"another issuer":         sign("JWT", map[string]any{"iss": issuer + "/"}),
		"no issuer":              sign("JWT", map[string]any{"iss": nil}),
		"no subject":             sign("JWT", map[string]any{"sub": nil}),
		"no audience":            sign("JWT", map[string]any{"aud": nil}),
		"empty audience":         sign("JWT", map[string]any{"aud": []string{}}),
		"audience of numbers":    sign("JWT", map[string]any{"aud": []int{1}}),
		"audience null":          sign("JWT", map[string]any{"aud": json.RawMessage("null")}),
		"audience object":        sign("JWT", map[string]any{"aud": map[string]any{}}),
		"azp not in aud":         sign("JWT", map[string]any{"azp": "other"}),
		"sub is a number":        sign("JWT", map[string]any{"sub": 1}),
		"exp is text":            sign("JWT", map[string]any{"exp": "soon"}),
		"exp is enormous":        sign("JWT", map[string]any{"exp": json.RawMessage("1e400")}),
		"claims are an array":    mustSignAny(t, r, []int{1}),
		"claims are null":        mustSignAny(t, r, nil),
		"another provider's":     mustSign(t, foreign, ES256, "JWT", good),
		"a stranger's under our kid": byHand(jose.SigningKey{
			Algorithm: jose.ES256,
			Key:       jose.JSONWebKey{Key: private, KeyID: kid},
		}, new(jose.SignerOptions).WithType("JWT")),
		"a stranger's with its JWK": byHand(jose.SigningKey{
			Algorithm: jose.ES256,
			Key:       private,
		}, (&jose.SignerOptions{EmbedJWK: true}).WithType("JWT")),
		"HMAC under the public key": byHand(jose.SigningKey{
			Algorithm: jose.HS256,
			Key:       jose.JSONWebKey{Key: body, KeyID: kid},
		}, new(jose.SignerOptions).WithType("JWT")),
		"alg none":           header(`{"alg":"none","typ":"JWT","kid":"`+kid+`"}`) + "." + parts[1] + ".",
		"alg none, signed":   header(`{"alg":"none","typ":"JWT","kid":"`+kid+`"}`) + "." + parts[1] + "." + parts[2],
		"another alg":        header(`{"alg":"RS256","typ":"JWT","kid":"`+kid+`"}`) + "." + parts[1] + "." + parts[2],
		"no kid":             header(`{"alg":"ES256","typ":"JWT"}`) + "." + parts[1] + "." + parts[2],
		"header is an array": header(`[]`) + "." + parts[1] + "." + parts[2],
		"kid is a number":    header(`{"alg":"ES256","typ":"JWT","kid":1}`) + "." + parts[1] + "." + parts[2],
		"typ is an array":    header(`{"alg":"ES256","typ":["JWT"],"kid":"`+kid+`"}`) + "." + parts[1] + "." + parts[2],
		"unknown crit":       header(`{"alg":"ES256","typ":"JWT","kid":"`+kid+`","crit":["b64"],"b64":false}`) + "." + parts[1] + "." + parts[2],
		"other claims":       parts[0] + "." + header(`{"iss":"`+issuer+`","sub":"eve"}`) + "." + parts[2],
		"truncated":          valid[:len(valid)-4],
		"no signature":       parts[0] + "." + parts[1] + ".",
		"four parts":         valid + ".x",
		"encrypted":          valid + ".x.y",
		"a space within":     parts[0] + ". " + parts[1] + "." + parts[2],
		"JSON serialization": `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
		"20 kB":              sign("JWT", map[string]any{"nonce": strings.Repeat("n", 20<<10)}),
		"a megabyte of dots": strings.Repeat(".", 1<<20),
		"deep nesting":       header(strings.Repeat("[", 9000)) + ".." + parts[2],
	} {
		if h, err := r.VerifyHint(token); !errors.Is(err, ErrInvalidToken) || h != (Hint{}) {
			t.Errorf("%s: got %+v, %v; want ErrToken", name, h, err)
		}
	}
}

func TestKeySignsWithItsOwnAlgorithmOnly(t *testing.T) {
	p := mustFixture(t)
	p.cfg.Algorithms = []string{RS256}
	r := p.mustLoad(t)
	k := r.current.Load().signingKeys[RS256]
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.PS256, Key: jose.JSONWebKey{Key: k.private, KeyID: k.record.ID}},
		new(jose.SignerOptions).WithType("JWT"),
	)
	if err != nil {
		t.Fatal(err)
	}
	payload, _ := json.Marshal(idToken(p.now))
	jws, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	token, _ := jws.CompactSerialize()
	if _, err := r.VerifyHint(token); !errors.Is(err, ErrInvalidToken) {
		t.Errorf("got %v, want ErrToken", err)
	}
}

func mustSignAny(t *testing.T, r *Ring, claims any) string {
	t.Helper()
	token, err := r.Sign(ES256, "JWT", claims)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestOnlyActiveAccessTokensAreAccessTokens(t *testing.T) {
	p := mustFixture(t)
	r := p.mustLoad(t)
	good := accessToken(p.now)
	token := mustSign(t, r, ES256, "at+jwt", good)
	a, err := r.VerifyAccessToken(token, p.now.Add(10*time.Minute-time.Second))
	if err != nil || a.ID != "t1" || a.Subject != "anna" || a.Client != "app" || a.SID != "s1" ||
		!slices.Equal(
			a.Audience,
			[]string{"https://api.example.com"},
		) || !slices.Equal(a.Scope, []string{"openid", "orders"}) || !json.Valid(a.Claims) {
		t.Errorf("got %+v, %v", a, err)
	}
	if _, err := r.VerifyAccessToken(token, p.now.Add(10*time.Minute)); !errors.Is(err, ErrInvalidToken) {
		t.Errorf("expired: got %v, want ErrToken", err)
	}
	for name, token := range map[string]string{
		"an ID token":    mustSign(t, r, ES256, "JWT", withChanges(idToken(p.now), map[string]any{"jti": "t1"})),
		"with events":    mustSign(t, r, ES256, "JWT", withChanges(good, map[string]any{"events": map[string]any{}})),
		"a logout token": mustSign(t, r, ES256, "logout+jwt", good),
		"another issuer": mustSign(
			t,
			r,
			ES256,
			"at+jwt",
			withChanges(good, map[string]any{"iss": "https://else.example"}),
		),
		"no exp":           mustSign(t, r, ES256, "at+jwt", withChanges(good, map[string]any{"exp": nil})),
		"no jti":           mustSign(t, r, ES256, "at+jwt", withChanges(good, map[string]any{"jti": nil})),
		"no client":        mustSign(t, r, ES256, "at+jwt", withChanges(good, map[string]any{"client_id": nil})),
		"an audience of 1": mustSign(t, r, ES256, "at+jwt", withChanges(good, map[string]any{"aud": []int{1}})),
		"opaque":           RandomWithPrefix("cat_"),
	} {
		if _, err := r.VerifyAccessToken(token, p.now); !errors.Is(err, ErrInvalidToken) {
			t.Errorf("%s: got %v, want ErrToken", name, err)
		}
	}
}

func TestAccessTokenOfAnArchivedKeyIsRefused(t *testing.T) {
	p := mustFixture(t)
	r := p.mustLoad(t)
	token := mustSign(
		t,
		r,
		ES256,
		"at+jwt",
		withChanges(accessToken(p.now), map[string]any{"exp": start.Add(1000 * time.Hour).Unix()}),
	)
	mustRotate(t, p, r, true)
	p.mustAdvance(t, r, time.Hour-time.Millisecond)
	if _, err := r.VerifyAccessToken(token, p.now); err != nil {
		t.Errorf("while its key is published: %v", err)
	}
	p.mustAdvance(t, r, time.Millisecond)
	if _, err := r.VerifyAccessToken(token, p.now); !errors.Is(err, ErrInvalidToken) {
		t.Errorf("got %v, want ErrToken", err)
	}
}

func FuzzNoTokenPanics(f *testing.F) {
	r := mustFixture(f).mustLoad(f)
	for _, claims := range []any{
		idToken(start), accessToken(start), []int{1}, nil, "text", withChanges(
			idToken(start),
			map[string]any{"aud": []int{1}},
		),
		withChanges(
			idToken(start),
			map[string]any{"exp": 1e300},
		), map[string]any{"aud": map[string]any{"x": []any{nil}}},
	} {
		for _, typ := range []string{"JWT", "at+jwt", ""} {
			token, err := r.Sign(ES256, typ, claims)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(token)
			f.Add(strings.Replace(token, ".", "..", 1))
			f.Add(token[:len(token)/2])
		}
	}
	f.Add("e30.e30.")
	f.Add("eyJhbGciOiJub25lIn0.eyJhdWQiOlsxXX0.")
	kid := ""
	for _, k := range r.List(start) {
		if k.Use == UseSign {
			kid = k.ID
		}
	}
	private := r.current.Load().verificationKeys[kid].private
	f.Fuzz(func(t *testing.T, text string) {
		if h, err := r.VerifyHint(text); err == nil && (h.Client == "" || h.Subject == "") {
			t.Errorf("%q: accepted without client or subject", text)
		}
		r.VerifyAccessToken(text, start)
		// The same text as claims under a good signature: what stands behind the signature check must not panic either.
		for _, typ := range []jose.ContentType{"JWT", "at+jwt"} {
			signer, err := jose.NewSigner(
				jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: private, KeyID: kid}},
				new(jose.SignerOptions).WithType(typ),
			)
			if err != nil {
				t.Fatal(err)
			}
			jws, err := signer.Sign([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			token, err := jws.CompactSerialize()
			if err != nil {
				t.Fatal(err)
			}
			r.VerifyHint(token)
			r.VerifyAccessToken(token, start)
		}
	})
}

func TestRememberedAccessTokenExpires(t *testing.T) {
	p := mustFixture(t)
	r := p.mustLoad(t)
	token := mustSign(t, r, ES256, "at+jwt", accessToken(p.now))
	verified, err := r.VerifyAccessToken(token, p.now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.VerifyAccessToken(token, verified.Expires.Add(-time.Second)); err != nil {
		t.Errorf("a second before the expiry: %v", err)
	}
	if _, err := r.VerifyAccessToken(token, verified.Expires); !errors.Is(err, ErrInvalidToken) {
		t.Errorf("at the expiry: got %v, want ErrInvalidToken", err)
	}
}
