package keys

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/storage/bolt"
)

const issuer = "https://op.example.com"

// start is when the tests' provider starts first.
var start = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// fixture is a data folder with a clock.
type fixture struct {
	store *bolt.Store
	cfg   Config
	now   time.Time
}

func mustFixture(t testing.TB) *fixture {
	t.Helper()
	folder := t.TempDir()
	store, err := bolt.Open(bolt.Options{Path: filepath.Join(folder, "curfew.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	p := &fixture{store: store, now: start}
	p.cfg = Config{
		Store:      store,
		File:       filepath.Join(folder, "curfew.key"),
		Issuer:     issuer,
		Algorithms: []string{ES256},
		Now:        func() time.Time { return p.now },
	}
	return p
}

func (p *fixture) mustLoad(t testing.TB) *Ring {
	t.Helper()
	r, err := Load(t.Context(), p.cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (p *fixture) mustListKeys(t *testing.T) []storage.Key {
	t.Helper()
	rows, err := p.store.ListKeys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func mustSign(t *testing.T, r *Ring, alg, typ string, claims map[string]any) string {
	t.Helper()
	token, err := r.Sign(alg, typ, claims)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// idToken are the claims of an ID token issued at that moment.
func idToken(at time.Time) map[string]any {
	return map[string]any{
		"iss":       issuer,
		"sub":       "anna",
		"aud":       "app",
		"sid":       "s1",
		"nonce":     "n",
		"iat":       at.Unix(),
		"exp":       at.Add(10 * time.Minute).Unix(),
		"auth_time": at.Unix(),
	}
}

func mustJWKS(t *testing.T, r *Ring) jose.JSONWebKeySet {
	t.Helper()
	body, _ := r.JWKS()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(body, &set); err != nil {
		t.Fatal(err)
	}
	return set
}

func TestFirstStartMakesAllKeysAndLaterStartsKeepThem(t *testing.T) {
	p := mustFixture(t)
	p.cfg.Algorithms = []string{RS256, ES256, PS256, EdDSA}
	r := p.mustLoad(t)
	var kinds []string
	for _, k := range r.List(p.now) {
		kinds = append(kinds, strings.TrimSpace(k.Use+" "+k.Alg))
		if k.State != Active {
			t.Errorf("%s %s is %s, want active", k.Use, k.Alg, k.State)
		}
		if k.Wrapped != nil {
			t.Errorf("%s %s is listed with its secret", k.Use, k.Alg)
		}
	}
	slices.Sort(kinds)
	if want := []string{
		"pairwise",
		"refresh",
		"seal",
		"sig ES256",
		"sig EdDSA",
		"sig PS256",
		"sig RS256",
	}; !slices.Equal(
		kinds,
		want,
	) {
		t.Errorf("got %v, want %v", kinds, want)
	}
	if info, err := os.Stat(p.cfg.File); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key file: got %v, %v; want mode 0600", info.Mode(), err)
	}

	before, etag := r.JWKS()
	sealed, err := r.Seal("code", []byte("value"))
	if err != nil {
		t.Fatal(err)
	}
	successor, pairwise := r.NextRefreshToken("crt_x"), r.Pairwise("app.example", "anna")
	for range 2 {
		again := p.mustLoad(t)
		after, sameTag := again.JWKS()
		if string(before) != string(after) || etag != sameTag {
			t.Error("a restart changed the JWKS")
		}
		if v, err := again.Open("code", sealed); err != nil || string(v) != "value" {
			t.Errorf("a restart lost the sealing key: %v", err)
		}
		if again.NextRefreshToken("crt_x") != successor || again.Pairwise("app.example", "anna") != pairwise {
			t.Error("a restart changed what is derived")
		}
	}
}

func TestEveryAlgorithmSignsWhatItsPublishedKeyVerifies(t *testing.T) {
	p := mustFixture(t)
	p.cfg.Algorithms = []string{RS256, ES256, PS256, EdDSA}
	r := p.mustLoad(t)
	set := mustJWKS(t, r)
	for _, alg := range r.Algorithms() {
		token := mustSign(t, r, alg, "logout+jwt", map[string]any{"iss": issuer})
		jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
		if err != nil {
			t.Fatal(err)
		}
		header := jws.Signatures[0].Protected
		found := set.Key(header.KeyID)
		if len(found) != 1 || found[0].Algorithm != alg || found[0].Use != "sig" {
			t.Fatalf("%s: kid %s is not published once for it", alg, header.KeyID)
		}
		if header.ExtraHeaders["typ"] != "logout+jwt" {
			t.Errorf("%s: typ is %v", alg, header.ExtraHeaders["typ"])
		}
		if _, err := jws.Verify(found[0]); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
		if id, _ := thumbprint(found[0]); id != header.KeyID {
			t.Errorf("%s: kid %s is not the RFC 7638 thumbprint %s", alg, header.KeyID, id)
		}
	}
	if _, err := r.Sign("HS256", "JWT", nil); err == nil {
		t.Error("signed with an algorithm that has no key")
	}
	if token := mustSign(t, r, ES256, "", map[string]any{}); strings.Contains(mustHeader(t, token), "typ") {
		t.Error("an empty typ was written")
	}
	if token := mustSign(t, r, ES256, "vnd.example+jwt", map[string]any{}); !strings.Contains(
		mustHeader(t, token),
		`"typ":"vnd.example+jwt"`,
	) {
		t.Error("a typ without a ready signer was not written")
	}
}

func TestRSABitsAreAsSet(t *testing.T) {
	p := mustFixture(t)
	p.cfg.Algorithms = []string{RS256}
	p.cfg.RSABits = 3072
	r := p.mustLoad(t)
	jws, err := jose.ParseSignedCompact(mustSign(t, r, RS256, "JWT", nil), signatureAlgorithms)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(jws.Signatures[0].Signature) * 8; got != 3072 {
		t.Errorf("got a signature of %d bits, want 3072", got)
	}
}

func TestJWKSHasNoPrivateMember(t *testing.T) {
	p := mustFixture(t)
	p.cfg.Algorithms = []string{RS256, ES256, EdDSA}
	r := p.mustLoad(t)
	if err := r.Rotate(t.Context(), p.now, false, ""); err != nil {
		t.Fatal(err)
	}
	body, _ := r.JWKS()
	var set struct {
		Keys []map[string]any `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil {
		t.Fatal(err)
	}
	if len(set.Keys) != 6 {
		t.Errorf("got %d keys, want 6: active and pending", len(set.Keys))
	}
	public := []string{"kty", "use", "kid", "alg", "n", "e", "crv", "x", "y"}
	for _, k := range set.Keys {
		for member := range k {
			if !slices.Contains(public, member) {
				t.Errorf("kid %v has the member %q", k["kid"], member)
			}
		}
	}
}

func TestRandomIs256BitsAndNeverRepeats(t *testing.T) {
	seen := map[string]bool{}
	for range 100_000 {
		text := RandomWithPrefix("cat_")
		if len(text) != 4+43 || !strings.HasPrefix(text, "cat_") {
			t.Fatalf("got %q", text)
		}
		if seen[text] {
			t.Fatalf("%q repeats", text)
		}
		seen[text] = true
	}
}

func TestMaintenanceWithNothingToDoWritesNothing(t *testing.T) {
	p := mustFixture(t)
	r := p.mustLoad(t)
	before := p.store.Commits()
	for range 3 {
		p.now = p.now.Add(time.Minute)
		if err := r.Maintain(t.Context(), p.now); err != nil {
			t.Fatal(err)
		}
	}
	if got := p.store.Commits() - before; got != 0 {
		t.Errorf("got %d commits, want 0", got)
	}
}

func TestRunStopsWithItsContext(t *testing.T) {
	p := mustFixture(t)
	r := p.mustLoad(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r.Run(ctx, func(err error) { t.Errorf("reported %v", err) })
}
