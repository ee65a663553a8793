package keys

import (
	"errors"
	"slices"
	"testing"
	"time"
)

func TestRevokedKeyCountsForNothingAtOnce(t *testing.T) {
	p := mustFixture(t)
	r := p.mustLoad(t)
	first := kidOf(t, r)
	hint := mustSign(t, r, ES256, "JWT", idToken(p.now))
	access := mustSign(t, r, ES256, "at+jwt", accessToken(p.now))
	if _, err := r.VerifyAccessToken(access, p.now); err != nil { // the ring remembers it from now on
		t.Fatal(err)
	}
	if err := r.Revoke(t.Context(), p.now, first, "admin"); err != nil {
		t.Fatal(err)
	}
	if slices.Contains(published(t, r), first) || kidOf(t, r) == first {
		t.Error("a revoked key is published or signs")
	}
	for _, ring := range []*Ring{r, p.mustLoad(t)} {
		if _, err := ring.VerifyHint(hint); !errors.Is(err, ErrInvalidToken) {
			t.Errorf("hint: got %v, want ErrInvalidToken", err)
		}
		if _, err := ring.VerifyAccessToken(access, p.now); !errors.Is(err, ErrInvalidToken) {
			t.Errorf("access token: got %v, want ErrInvalidToken", err)
		}
	}
	if err := r.Revoke(t.Context(), p.now, first, "admin"); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("again: got %v, want ErrUnknownKey", err)
	}
}

func TestRevokingPromotesTheSuccessorThatIsKnownAlready(t *testing.T) {
	p := mustFixture(t)
	r := p.mustLoad(t)
	mustRotate(t, p, r, false)
	kids := published(t, r)
	if err := r.Revoke(t.Context(), p.now, kids[0], "admin"); err != nil {
		t.Fatal(err)
	}
	if got := published(t, r); !slices.Equal(got, kids[1:]) || kidOf(t, r) != kids[1] {
		t.Errorf("published %v, want %v", got, kids[1:])
	}
}

func TestRevokingAPendingKeyKeepsTheOneThatSigns(t *testing.T) {
	p := mustFixture(t)
	r := p.mustLoad(t)
	mustRotate(t, p, r, false)
	kids := published(t, r)
	if err := r.Revoke(t.Context(), p.now, kids[1], "admin"); err != nil {
		t.Fatal(err)
	}
	p.mustAdvance(t, r, 100*24*time.Hour)
	if got := published(t, r); !slices.Equal(got, kids[:1]) || kidOf(t, r) != kids[0] {
		t.Errorf("published %v, want %v", got, kids[:1])
	}
	mustRotate(t, p, r, false)
	if got := len(published(t, r)); got != 2 {
		t.Errorf("got %d published keys after the next rotation, want 2", got)
	}
}

func TestRevokingAnOldKeyChangesNothingElse(t *testing.T) {
	p := mustFixture(t)
	r := p.mustLoad(t)
	first := kidOf(t, r)
	mustRotate(t, p, r, true)
	mustRotate(t, p, r, false)
	kids := published(t, r)
	if err := r.Revoke(t.Context(), p.now, first, "admin"); err != nil {
		t.Fatal(err)
	}
	if got := published(t, r); !slices.Equal(got, kids[:2]) || kidOf(t, r) != kids[0] {
		t.Errorf("published %v, want %v", got, kids[:2])
	}
	p.mustAdvance(t, r, 24*time.Hour)
	if kidOf(t, r) != kids[1] {
		t.Error("the successor does not sign in its time")
	}
}

func TestRevokingOtherKinds(t *testing.T) {
	p := mustFixture(t)
	r := p.mustLoad(t)
	sealed, err := r.Seal("code", []byte("value"))
	if err != nil {
		t.Fatal(err)
	}
	successor, pairwise := r.NextRefreshToken("crt_x"), r.Pairwise("app.example", "anna")
	for _, k := range p.mustListKeys(t) {
		if err := r.Revoke(t.Context(), p.now, k.ID, "admin"); (err != nil) != (k.Use == UsePairwise) {
			t.Errorf("%s: got %v", k.Use, err)
		}
	}
	if _, err := r.Open("code", sealed); !errors.Is(err, ErrNotSealed) {
		t.Errorf("sealed under a revoked key: got %v, want ErrSealed", err)
	}
	if r.NextRefreshToken("crt_x") == successor {
		t.Error("a revoked key still derives")
	}
	if r.Pairwise("app.example", "anna") != pairwise {
		t.Error("subjects changed")
	}
}
