package keys

import (
	"slices"
	"testing"
	"time"
)

func TestRenewedKeysReplaceAllButThePairwiseOne(t *testing.T) {
	p := mustFixture(t)
	r := p.mustLoad(t)
	first := kidOf(t, r)
	sealed, err := r.Seal("code", []byte("value"))
	if err != nil {
		t.Fatal(err)
	}
	subject, next := r.Pairwise("app.example", "ann"), r.NextRefreshToken("token")
	p.now = p.now.Add(time.Minute)
	mustRotate(t, p, r, false)
	pending := published(t, r)[1]

	if err := r.Renew(t.Context(), p.now, "admin"); err != nil {
		t.Fatal(err)
	}
	r = p.mustLoad(t) // as the next start does
	second := kidOf(t, r)
	if second == first || second == pending {
		t.Error("signs with a key from before")
	}
	kids := published(t, r)
	if len(kids) != 2 || !slices.Contains(kids, first) {
		t.Errorf("published %v, want the new key and %s for the tokens that it has signed", kids, first)
	}
	if _, err := r.Open("code", sealed); err == nil {
		t.Error("opens what was sealed before")
	}
	if r.NextRefreshToken("token") == next {
		t.Error("derives the refresh tokens of before")
	}
	if r.Pairwise("app.example", "ann") != subject {
		t.Error("pairwise subjects have changed")
	}
	p.mustAdvance(t, r, p.cfg.MaxTokenLifetime+time.Hour)
	if kids := published(t, r); slices.Contains(kids, first) {
		t.Errorf("published %v after the tokens of %s have expired", kids, first)
	}
}
