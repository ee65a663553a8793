package keys

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/storage"
)

func mustHeader(t *testing.T, token string) string {
	t.Helper()
	head, _, _ := strings.Cut(token, ".")
	raw, err := rawURL.DecodeString(head)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// kidOf is the kid that r signs with now.
func kidOf(t *testing.T, r *Ring) string {
	t.Helper()
	_, rest, _ := strings.Cut(mustHeader(t, mustSign(t, r, ES256, "JWT", nil)), `"kid":"`)
	kid, _, _ := strings.Cut(rest, `"`)
	return kid
}

func published(t *testing.T, r *Ring) []string {
	t.Helper()
	var kids []string
	for _, k := range mustJWKS(t, r).Keys {
		kids = append(kids, k.KeyID)
	}
	return kids
}

func (p *fixture) mustAdvance(t *testing.T, r *Ring, d time.Duration) {
	t.Helper()
	p.now = p.now.Add(d)
	if err := r.Maintain(t.Context(), p.now); err != nil {
		t.Fatal(err)
	}
}

func mustRotate(t *testing.T, p *fixture, r *Ring, atOnce bool) {
	t.Helper()
	if err := r.Rotate(t.Context(), p.now, atOnce, "admin"); err != nil {
		t.Fatal(err)
	}
}

func TestRotationOverlaps(t *testing.T) {
	p := mustFixture(t)
	r := p.mustLoad(t)
	first := kidOf(t, r)

	mustRotate(t, p, r, false)
	kids := published(t, r)
	if len(kids) != 2 || kids[0] != first {
		t.Fatalf("published %v, want the signing key first and its successor", kids)
	}
	second := kids[1]
	if kidOf(t, r) != first {
		t.Error("the successor signs before relying parties could see it")
	}
	mustRotate(t, p, r, false)
	if again := published(t, r); !slices.Equal(again, kids) {
		t.Errorf("asked again while one is pending: published %v, want %v", again, kids)
	}

	p.mustAdvance(t, r, 24*time.Hour-time.Millisecond)
	if kidOf(t, r) != first {
		t.Error("the successor signs before its time")
	}
	p.mustAdvance(t, r, time.Millisecond)
	if kidOf(t, r) != second {
		t.Error("the successor does not sign in its time")
	}
	if kids := published(t, r); !slices.Equal(kids, []string{second, first}) {
		t.Errorf("published %v, want the signing key first and the retired one", kids)
	}
	p.mustAdvance(t, r, time.Hour-time.Millisecond)
	if kids := published(t, r); len(kids) != 2 {
		t.Errorf("published %v: the retired key left while its tokens may live", kids)
	}
	p.mustAdvance(t, r, time.Millisecond)
	if kids := published(t, r); !slices.Equal(kids, []string{second}) {
		t.Errorf("published %v, want only %s", kids, second)
	}
}

func TestRetiredKeyLosesItsPrivatePart(t *testing.T) {
	p := mustFixture(t)
	r := p.mustLoad(t)
	first := kidOf(t, r)
	mustRotate(t, p, r, false)
	p.mustAdvance(t, r, 24*time.Hour)
	for _, row := range p.mustListKeys(t) {
		if row.ID != first {
			continue
		}
		secret, err := r.wrapper.unwrap(row)
		if err != nil || len(secret) != 0 {
			t.Errorf("got %d bytes, %v; want none", len(secret), err)
		}
	}
	p.mustLoad(t)
}

func TestRotationAtOnceSignsAtOnce(t *testing.T) {
	p := mustFixture(t)
	r := p.mustLoad(t)
	first := kidOf(t, r)
	mustRotate(t, p, r, true)
	second := kidOf(t, r)
	if second == first {
		t.Error("the old key still signs")
	}
	mustRotate(t, p, r, false)
	pending := published(t, r)[1]
	mustRotate(t, p, r, true)
	if third := kidOf(t, r); third != pending {
		t.Errorf("got %s, want the one that was published already, %s", third, pending)
	}
	if got := len(published(t, r)); got != 3 {
		t.Errorf("got %d published keys, want 3", got)
	}
}

func TestHintOfTheFirstKeyVerifiesAfterTwoRotations(t *testing.T) {
	p := mustFixture(t)
	r := p.mustLoad(t)
	hint := mustSign(t, r, ES256, "JWT", idToken(p.now))
	for range 2 {
		mustRotate(t, p, r, false)
		p.mustAdvance(t, r, 24*time.Hour)
		p.mustAdvance(t, r, 2*time.Hour)
	}
	if got := len(published(t, r)); got != 1 {
		t.Fatalf("got %d published keys, want 1: the first one must have left the JWKS", got)
	}
	for _, ring := range []*Ring{r, p.mustLoad(t)} {
		if h, err := ring.VerifyHint(hint); err != nil || h.Client != "app" {
			t.Errorf("got %v, %v; want the client", h, err)
		}
	}
	p.mustAdvance(t, r, 60*24*time.Hour)
	if _, err := r.VerifyHint(hint); !errors.Is(err, ErrInvalidToken) {
		t.Errorf("long after: got %v, want ErrToken", err)
	}
}

func TestWhatWasSealedOpensAfterRotations(t *testing.T) {
	p := mustFixture(t)
	r := p.mustLoad(t)
	old, err := r.Seal("device", []byte("value"))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		mustRotate(t, p, r, true)
		p.mustAdvance(t, r, 90*24*time.Hour)
	}
	for _, ring := range []*Ring{r, p.mustLoad(t)} {
		if v, err := ring.Open("device", old); err != nil || string(v) != "value" {
			t.Errorf("got %q, %v", v, err)
		}
	}
	fresh, err := r.Seal("device", []byte("value"))
	if err != nil {
		t.Fatal(err)
	}
	p.mustAdvance(t, r, sealingKeyRetention)
	if _, err := r.Open("device", old); !errors.Is(err, ErrNotSealed) {
		t.Errorf("under a key that is gone: got %v, want ErrSealed", err)
	}
	if _, err := r.Open("device", fresh); err != nil {
		t.Errorf("under the key that seals: %v", err)
	}
}

func TestRotationLeavesWhatIsDerivedAsItIs(t *testing.T) {
	p := mustFixture(t)
	r := p.mustLoad(t)
	successor, pairwise := r.NextRefreshToken("crt_x"), r.Pairwise("app.example", "anna")
	mustRotate(t, p, r, true)
	if r.NextRefreshToken("crt_x") != successor {
		t.Error("a client that repeats a refresh would get another successor")
	}
	if r.Pairwise("app.example", "anna") != pairwise {
		t.Error("subjects changed")
	}
}

func TestKeysAreReplacedAtTheirAge(t *testing.T) {
	p := mustFixture(t)
	p.cfg.RotateAfter = 90 * 24 * time.Hour
	r := p.mustLoad(t)
	first := kidOf(t, r)
	p.mustAdvance(t, r, 89*24*time.Hour-time.Minute)
	if got := len(published(t, r)); got != 1 {
		t.Fatalf("a day and a minute before: got %d published keys, want 1", got)
	}
	p.mustAdvance(t, r, time.Minute)
	kids := published(t, r)
	if len(kids) != 2 || kidOf(t, r) != first {
		t.Fatalf("a day before: published %v, want a successor that does not sign yet", kids)
	}
	p.mustAdvance(t, r, 24*time.Hour)
	if kidOf(t, r) != kids[1] {
		t.Error("at its age the key still signs")
	}
	for range 5 {
		p.mustAdvance(t, r, 30*24*time.Hour)
	}
	if got := len(r.List(p.now)); got > 20 {
		t.Errorf("got %d rows after 240 days: replaced keys pile up", got)
	}
}

func TestKeysAreNotReplacedByThemselvesUnlessAsked(t *testing.T) {
	p := mustFixture(t)
	r := p.mustLoad(t)
	first := kidOf(t, r)
	p.mustAdvance(t, r, 1000*24*time.Hour)
	if kids := published(t, r); !slices.Equal(kids, []string{first}) {
		t.Errorf("published %v, want %s only", kids, first)
	}
}

func TestProviderThatSleptLongOverlapsToo(t *testing.T) {
	p := mustFixture(t)
	p.cfg.RotateAfter = 90 * 24 * time.Hour
	first := kidOf(t, p.mustLoad(t))
	p.now = p.now.Add(365 * 24 * time.Hour)
	r := p.mustLoad(t)
	if kidOf(t, r) != first || len(published(t, r)) != 2 {
		t.Error("the successor signs before relying parties could see it")
	}
}

func TestNewAlgorithmGetsAKeyAndADroppedOneIsNotReplaced(t *testing.T) {
	p := mustFixture(t)
	p.mustLoad(t)
	p.cfg.Algorithms = []string{EdDSA}
	r := p.mustLoad(t)
	mustSign(t, r, EdDSA, "JWT", nil)
	mustRotate(t, p, r, false)
	for _, k := range r.List(p.now) {
		if k.Alg == ES256 && k.State == Pending {
			t.Error("a key was made for an algorithm that is no longer offered")
		}
	}
}

func TestEveryChangeIsInTheAuditTrail(t *testing.T) {
	p := mustFixture(t)
	r := p.mustLoad(t)
	first := kidOf(t, r)
	mustRotate(t, p, r, false)
	p.mustAdvance(t, r, 24*time.Hour)
	if err := r.Revoke(t.Context(), p.now, kidOf(t, r), "admin"); err != nil {
		t.Fatal(err)
	}
	events, _, err := p.store.ListEvents(t.Context(), storage.EventFilter{Kind: "key."}, storage.Page{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, e := range events {
		got[e.Kind]++
		if e.Detail["key"] == "" || e.At.IsZero() {
			t.Errorf("%s does not say which key and when", e.Kind)
		}
		if e.Kind == "key.revoked" && e.By != "admin" {
			t.Error("the event does not say who revoked the key")
		}
		if e.Kind == "key.destroyed" && e.Detail["key"] != first {
			t.Errorf("destroyed %s, want %s", e.Detail["key"], first)
		}
	}
	if got["key.created"] < 4+2 || got["key.destroyed"] != 1 || got["key.revoked"] != 1 {
		t.Errorf("got %v", got)
	}
}
