package templates

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestThreeNumbersAreNeverMergedAndUnknownIsNeverDropped(t *testing.T) {
	for _, tt := range []struct {
		h                        Horizon
		here, tokens, apps, note string
		line                     string
		afterTokens, afterApps   string
	}{
		{Horizon{Tokens: 11 * time.Minute, Expiring: 4, Clients: 2 * time.Minute, Unknown: []string{"Old portal"}},
			"at once", "within 11 min", "4 within 2 min", "1 unknown: Old portal",
			"here at once, tokens within 11 min, applications 4 within 2 min, 1 unknown.",
			"by 10:14 UTC", "4 by 10:05 UTC"},
		{Horizon{OP: 4500 * time.Millisecond, Tokens: 15100 * time.Millisecond},
			"within 5 s", "within 16 s", "none", "", "here within 5 s, tokens within 16 s, applications none.", "by 10:03 UTC", "none"},
		{Horizon{Unknown: []string{"Atlas", "Ledger"}, Notifying: 2},
			"at once", "at once", "2 told at once", "2 unknown: Atlas and Ledger; 2 of them told directly and may confirm",
			"here at once, tokens at once, applications 2 told at once, 2 unknown should they not confirm.", "at once", "2 told at once"},
		{Horizon{Unknown: []string{"Atlas", "Ledger", "Wiki"}, Notifying: 1},
			"at once", "at once", "unknown", "3 unknown: Atlas, Ledger and Wiki; 1 of them told directly and may confirm",
			"here at once, tokens at once, applications 3 unknown, of which 1 may confirm.", "at once", "unknown"},
		{Horizon{Unknown: []string{"Atlas"}, Notifying: 1},
			"at once", "at once", "1 told at once", "1 unknown: Atlas; told directly and may confirm",
			"here at once, tokens at once, applications 1 told at once, 1 unknown should it not confirm.", "at once", "1 told at once"},
		{Horizon{Unknown: []string{"Atlas"}},
			"at once", "at once", "unknown", "1 unknown: Atlas", "here at once, tokens at once, applications 1 unknown.", "at once", "unknown"},
		{Horizon{Confirmed: 1, Over: 2},
			"at once", "at once", "1 confirmed, 2 ended", "", "here at once, tokens at once, applications 1 confirmed, 2 ended.", "at once", "1 confirmed, 2 ended"},
		{Horizon{Confirmed: 3, Expiring: 1, Clients: 10 * time.Second},
			"at once", "at once", "3 confirmed, 1 within 10 s", "", "here at once, tokens at once, applications 3 confirmed, 1 within 10 s.", "at once", "3 confirmed, 1 by 10:03 UTC"},
	} {
		b := tt.h.IfEndedNow()
		for _, f := range [][2]string{{b.OP.String(), tt.here}, {b.Tokens.String(), tt.tokens}, {b.Clients.String(), tt.apps}, {b.Note.String(), tt.note}, {tt.h.Sentence(), tt.line}} {
			if f[0] != f[1] {
				t.Errorf("before %+v:\ngot  %s\nwant %s", tt.h, f[0], f[1])
			}
		}
		a := tt.h.SinceEnd(sampleNow, sampleNow.Add(time.Second))
		for _, f := range [][2]string{{a.Tokens.String(), tt.afterTokens}, {a.Clients.String(), tt.afterApps}} {
			if f[0] != f[1] {
				t.Errorf("after %+v:\ngot  %s\nwant %s", tt.h, f[0], f[1])
			}
		}
	}
	if got := (Horizon{Tokens: time.Minute}).SinceEnd(sampleNow, sampleNow.Add(time.Hour)).Tokens.String(); got != "over since 10:04 UTC" {
		t.Errorf("got %s, want it over", got)
	}
}

// TestScriptHearsThatNobodyIsUnknownAnyMore: a note that is left out would stay on the page.
func TestScriptHearsThatNobodyIsUnknownAnyMore(t *testing.T) {
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
		{time.Millisecond, "1 s"}, {16 * time.Second, "16 s"}, {119001 * time.Millisecond, "2 min"}, {10*time.Minute + time.Nanosecond, "11 min"},
		{119*time.Minute + time.Second, "2 h"}, {47 * time.Hour, "47 h"}, {47*time.Hour + 1, "2 days"}, {90 * 24 * time.Hour, "90 days"},
	} {
		if got := formatDurationUp(tt.d); got != tt.want {
			t.Errorf("%v: got %s, want %s", tt.d, got, tt.want)
		}
	}
}
