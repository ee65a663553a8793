package egress

import (
	"testing"
	"time"
)

// FuzzRetryAfter: whatever an app answers, its wish is between now and a day.
func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{
		"", "0", "-1", "120", "99999999999999999999", "-99999999999999999999", "1e9", " 5",
		"Fri, 31 Dec 9999 23:59:59 GMT", "Fri, 31 Dec 1999 23:59:59 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
	} {
		f.Add(seed)
	}
	now := time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, value string) {
		if got := retryAfter(value, now); got < 0 || got > 24*time.Hour {
			t.Errorf("%q: got %v, want 0 to 24h", value, got)
		}
	})
}
