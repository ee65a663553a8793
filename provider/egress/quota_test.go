package egress

import (
	"testing"
	"time"
)

// TestStrangersCannotPressAHostByDocuments: they choose which documents are fetched and when.
func TestStrangersCannotPressAHostByDocuments(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	q := fetchQuota{perHost: 3}
	takes := func(host string, want int) {
		t.Helper()
		got := 0
		for range 100 {
			if q.take(host, now) {
				got++
			}
		}
		if got != want {
			t.Errorf("%s: got %d fetches in a minute, want %d", host, got, want)
		}
	}
	takes("victim.example", 3)
	now = now.Add(time.Minute)
	for host := 'a'; host < 'a'+totalQuotaFactor; host++ {
		takes(string(host)+".example", 3)
	}
	takes("victim.example", 0) // all hosts together
	if len(q.counts) > totalQuotaFactor {
		t.Errorf("got %d hosts in memory, want at most %d", len(q.counts), totalQuotaFactor)
	}
}

// TestURLsOfStrangersAreCheckedWithoutTheNetwork: registration must not look up names for strangers.
func TestURLsOfStrangersAreCheckedWithoutTheNetwork(t *testing.T) {
	for _, test := range []struct {
		url     string
		allow   []string
		allowed bool
	}{
		{"https://rp.example/logout", nil, true},
		{"https://rp.example:8443/logout", nil, false},
		{"https://rp.example:8443/logout", []string{"rp.example:8443"}, true},
		{"https://rp.example:8443/logout", []string{"10.0.0.0/8"}, true}, // the name may lead there
		{"http://rp.example/logout", nil, false},
		{"https://10.1.2.3/logout", nil, false},
		{"https://10.1.2.3/logout", []string{"10.0.0.0/8"}, true},
		{"https://169.254.169.254/logout", []string{"169.254.0.0/16"}, false},
		{"https://localhost/logout", nil, false},
		{"https://localhost:3000/logout", []string{"127.0.0.0/8"}, true},
		{"https://192.0.2.1/logout", nil, false},
		{"https://93.184.216.34/logout", nil, true},
	} {
		c, err := New(Config{Allow: test.allow, AllowSetting: "registration.egress_allow"})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.CheckURL(test.url); (err == nil) != test.allowed {
			t.Errorf("%s with %v: got %v, want allowed %v", test.url, test.allow, err, test.allowed)
		}
	}
}
