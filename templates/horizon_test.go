package templates

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestThreeNumbersAreNeverMergedAndUnknownIsNeverDropped(t *testing.T) {
	l := texts().locale(defaultLanguage)
	for _, tt := range []struct {
		h                      Horizon
		here, tokens, apps     string
		note                   string
		afterTokens, afterApps string
	}{
		{Horizon{Tokens: 11 * time.Minute, Expiring: 4, Clients: 2 * time.Minute, Unknown: []string{"Old portal"}},
			"ends at once", "ends within 11 min", "4 end within 2 min", "Unknown for 1: Old portal.", "ends by 10:14 UTC", "4 end by 10:05 UTC"},
		{Horizon{OP: 4500 * time.Millisecond, Tokens: 15100 * time.Millisecond},
			"ends within 5 s", "ends within 16 s", "none", "", "ends by 10:03 UTC", "none"},
		{Horizon{Unknown: []string{"Atlas", "Ledger"}, Notifying: 2},
			"ends at once", "ends at once", "2 asked at once", "Unknown for 2: Atlas and Ledger. 2 of them are asked directly and may confirm.", "ends at once", "2 asked at once"},
		{Horizon{Unknown: []string{"Atlas", "Ledger", "Wiki"}, Notifying: 1},
			"ends at once", "ends at once", "unknown", "Unknown for 3: Atlas, Ledger and Wiki. 1 of them is asked directly and may confirm.", "ends at once", "unknown"},
		{Horizon{Unknown: []string{"Atlas"}},
			"ends at once", "ends at once", "unknown", "Unknown for 1: Atlas.", "ends at once", "unknown"},
		{Horizon{Confirmed: 1, Over: 2},
			"ends at once", "ends at once", "1 confirmed and 2 ended", "", "ends at once", "1 confirmed and 2 ended"},
		{Horizon{Confirmed: 3, Expiring: 1, Clients: 10 * time.Second},
			"ends at once", "ends at once", "3 confirmed and 1 ends within 10 s", "", "ends at once", "3 confirmed and 1 ends by 10:03 UTC"},
	} {
		b := l.ifEndedNow(tt.h)
		for _, f := range [][2]string{
			{b.OP.String(), tt.here},
			{b.Tokens.String(), tt.tokens},
			{b.Clients.String(), tt.apps},
			{b.Note.String(), tt.note},
		} {
			if f[0] != f[1] {
				t.Errorf("before %+v:\ngot  %s\nwant %s", tt.h, f[0], f[1])
			}
		}
		a := l.sinceEnd(tt.h, sampleNow, sampleNow.Add(time.Second))
		for _, f := range [][2]string{{a.Tokens.String(), tt.afterTokens}, {a.Clients.String(), tt.afterApps}} {
			if f[0] != f[1] {
				t.Errorf("after %+v:\ngot  %s\nwant %s", tt.h, f[0], f[1])
			}
		}
	}
	if got := l.sinceEnd(
		Horizon{Tokens: time.Minute},
		sampleNow,
		sampleNow.Add(time.Hour),
	).Tokens.String(); got != "ended by 10:04 UTC" {
		t.Errorf("got %s, want it over", got)
	}
}

// TestScriptReadsThatNoAppIsUnknownAnyMore: a note that is left out would stay on the page.
func TestScriptReadsThatNoAppIsUnknownAnyMore(t *testing.T) {
	page := ReportPage{Horizon: Horizon{Confirmed: 1}, Ended: sampleNow}
	got, err := json.Marshal(page.Status())
	if err != nil || !strings.Contains(string(got), `"note":null`) {
		t.Errorf("got %s, %v; want an empty note", got, err)
	}
}

func TestWhatIsPromisedIsRoundedUp(t *testing.T) {
	for _, tt := range []struct {
		d    time.Duration
		want string
	}{
		{
			time.Millisecond,
			"1 s",
		}, {
			16 * time.Second,
			"16 s",
		}, {119001 * time.Millisecond, "2 min"}, {10*time.Minute + time.Nanosecond, "11 min"},
		{
			119*time.Minute + time.Second,
			"2 h",
		}, {47 * time.Hour, "47 h"}, {47*time.Hour + 1, "2 days"}, {90 * 24 * time.Hour, "90 days"},
	} {
		if got := texts().locale(defaultLanguage).durationUp(tt.d); got != tt.want {
			t.Errorf("%v: got %s, want %s", tt.d, got, tt.want)
		}
	}
}
