package storage

import (
	"testing"
	"time"
)

func TestRefreshTokenIsExchangedOnceAndItsReuseIsDetected(t *testing.T) {
	hash := HashOf
	g := Grant{RefreshHash: hash("current"), PreviousHash: hash("previous"), RotatedAt: testTime}
	for name, c := range map[string]struct {
		token, next string
		after       time.Duration
		want        RefreshAction
	}{
		"the current one":                  {"current", "next", time.Hour, RefreshRotate},
		"the one before, within the grace": {"previous", "current", 30 * time.Second, RefreshRepeat},
		"a request with an earlier clock":  {"previous", "current", -time.Second, RefreshRepeat},
		"after the grace":                  {"previous", "current", 31 * time.Second, RefreshReused},
		"the clock was put back":           {"previous", "current", -time.Hour, RefreshReused},
		"another key was derived from":     {"previous", "other", time.Second, RefreshRefused},
		"one from long ago":                {"ancient", "current", time.Second, RefreshReused},
	} {
		r := RefreshRequest{Token: hash(c.token), NewToken: hash(c.next), Grace: 30 * time.Second}
		if got := g.RefreshAction(r, testTime.Add(c.after)); got != c.want {
			t.Errorf("%s: got action %d, want %d", name, got, c.want)
		}
	}
}

func TestRepeatedRefreshRotatesNothing(t *testing.T) {
	before := Grant{
		ID:           "g",
		RefreshHash:  HashOf("a"),
		PreviousHash: HashOf("b"),
		RotatedAt:    testTime,
		LastUsed:     testTime,
		Scope:        []string{"openid"},
	}
	r := RefreshRequest{NewToken: HashOf("c")}
	at := testTime.Add(time.Second)
	repeated := before.Refreshed(RefreshRepeat, r, Issuance{}, at)
	if repeated.RefreshHash != before.RefreshHash || repeated.PreviousHash != before.PreviousHash ||
		!repeated.LastUsed.Equal(at) ||
		len(repeated.Scope) != 1 {
		t.Errorf("got %+v", repeated)
	}
	rotated := before.Refreshed(RefreshRotate, r, Issuance{Grant: Grant{ID: "g"}, Trust: TokenExpiry{JWT: at}}, at)
	if rotated.RefreshHash != HashOf("c") || rotated.PreviousHash != HashOf("a") || !rotated.RotatedAt.Equal(at) ||
		len(rotated.Scope) != 0 ||
		!rotated.Trust.JWT.Equal(at) {
		t.Errorf("got %+v", rotated)
	}
}
