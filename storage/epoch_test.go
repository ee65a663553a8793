package storage

import (
	"testing"
	"time"
)

func TestNextEpochIsAboveAllSequencesOfLostTransactions(t *testing.T) {
	first := Sequence(7).NextEpoch(testTime)
	lost := first + 1000*60*1000 // a million terminations a minute in the first epoch
	if second := first.NextEpoch(testTime.Add(time.Minute)); second <= lost {
		t.Errorf("got %d for the second epoch, want more than %d", second, lost)
	}
	if got := first.NextEpoch(testTime.Add(-time.Hour)); got <= first {
		t.Errorf("got %d with a clock that was set back, want more than %d", got, first)
	}
	const exactInJSON = 1 << 53 // RFC 8259 §6
	if first > exactInJSON {
		t.Errorf("got %d, want at most %d", first, exactInJSON)
	}
}

func TestEpochForgetsWhatWasUsedBefore(t *testing.T) {
	first := Sequence(7).NextEpoch(testTime)
	h := SweepHistory{}.BeginEpoch(testTime, first)
	h = h.AddUses(testTime.Add(time.Hour), true)
	if !h.ForgotUse(testTime.Add(-time.Minute), testTime.Add(24*time.Hour)) {
		t.Error("an id that was issued before the epoch is accepted")
	}
	if h.ForgotUse(testTime.Add(time.Minute), testTime.Add(24*time.Hour)) {
		t.Error("an id that was issued in the epoch is refused")
	}
	if !h.ForgotCode(codeAt(first-1, 24*time.Hour)) || h.ForgotCode(codeAt(first, 24*time.Hour)) {
		t.Error("codes of before the epoch must be refused, and those issued in it accepted")
	}
}

func TestEpochRefusesFactorsThatMayHaveBeenUsed(t *testing.T) {
	f := Factors{
		TOTP:          &TOTP{LastStep: 9},
		RecoveryCodes: []Hash{HashOf("code")},
		Browsers:      []RememberedBrowser{{SecretHash: HashOf("browser"), Expires: testTime.Add(time.Hour)}},
	}
	f.BeginEpoch(testTime)
	step := testTime.Unix() / 30
	if err := f.UseTOTP(time.Time{}, step+1, testTime); err == nil {
		t.Error("a code of the next time step is accepted, and may have been used")
	}
	if err := f.UseTOTP(time.Time{}, step+2, testTime); err != nil {
		t.Errorf("got %v for a later time step", err)
	}
	if f.UseRecoveryCode(HashOf("code")) == nil || f.Remembers(HashOf("browser"), testTime) {
		t.Error("a recovery code or a remembered browser of before the epoch is accepted")
	}
}
