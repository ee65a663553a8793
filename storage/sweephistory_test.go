package storage

import (
	"testing"
	"time"
)

func codeAt(sequence Sequence, expires time.Duration) Code {
	return Code{Sequence: sequence, Expires: testTime.Add(expires)}
}

func TestUsedCodeStaysRefusedAfterASweep(t *testing.T) {
	day := 24 * time.Hour
	var h SweepHistory
	h = h.AddCodes(testTime.Add(10*day), 5) // by a clock that was ahead
	h = h.AddCodes(testTime, 6)             // the clock was set back
	h = h.AddCodes(testTime.Add(time.Minute), 7)
	if len(h.Codes) != 2 {
		t.Errorf("got %+v, want the sweep of the clock ahead and the latest", h.Codes)
	}
	for _, c := range []struct {
		name string
		code Code
		want bool
	}{
		{"of before the clock was put back", codeAt(4, time.Hour), true},
		{"issued since then, and valid", codeAt(6, 2*time.Minute), false},
		{"issued since then, and expired", codeAt(6, time.Minute), true},
		{"issued after the latest sweep", codeAt(7, time.Minute), false},
		{"issued by a clock still further ahead", codeAt(4, 10*day+time.Minute), false},
	} {
		if got := h.ForgotCode(c.code); got != c.want {
			t.Errorf("code %s: forgotten %v, want %v", c.name, got, c.want)
		}
	}
}

func TestSweepHistoryStaysShortAndForgetsNothing(t *testing.T) {
	var h SweepHistory
	for i := range 100 { // each time the clock is set back further
		h = h.AddCodes(testTime.Add(-time.Duration(i)*time.Hour), Sequence(i+1))
	}
	if len(h.Codes) > maxSweptCodes {
		t.Errorf("got %d entries, want at most %d", len(h.Codes), maxSweptCodes)
	}
	for i := range 100 {
		if !h.ForgotCode(codeAt(Sequence(i), -time.Duration(i)*time.Hour)) {
			t.Errorf("a code of sweep %d counts again", i)
		}
	}
}

func TestSweptCutoffsStillInvalidateOldCodes(t *testing.T) {
	h := SweepHistory{}.AddCutoffs(CutoffScope{Subject: "ann"}, []Cutoff{{Sequence: 3}, {Sequence: 5}}).
		AddCutoffs(CutoffScope{Client: "app"}, []Cutoff{{Sequence: 4}})
	if h.Cutoff != 5 || h.ClientCutoff != 4 {
		t.Errorf("got %+v, want the highest of each", h)
	}
	if !h.ForgotCode(codeAt(4, time.Hour)) || h.ForgotCode(codeAt(5, time.Hour)) {
		t.Error("not exactly the codes of before the highest cutoff are refused")
	}
}

func TestUsedIDsFromBeforeASetbackStayRefused(t *testing.T) {
	hour := func(n int) time.Time { return testTime.Add(time.Duration(n) * time.Hour) }
	h := SweepHistory{}.AddUses(hour(100), true).AddUses(hour(1), false)
	for _, c := range []struct {
		issued, expires int
		want            bool
	}{{0, 2, true}, {1, 2, true}, {2, 3, false}, {2, 101, false}, {0, 101, false}, {0, 1, true}} {
		if got := h.ForgotUse(hour(c.issued), hour(c.expires)); got != c.want {
			t.Errorf("issued %d, expires %d: forgotten %v, want %v", c.issued, c.expires, got, c.want)
		}
	}
}
