package storage

import (
	"testing"
	"time"
)

func TestOutcomeCountsOnlyUnderItsLease(t *testing.T) {
	d := Delivery{State: DeliveryPending}.Claimed(testTime, 20*time.Second)
	if d.Lease != 1 || d.Attempts != 1 || !d.DueAt().Equal(testTime.Add(20*time.Second)) {
		t.Fatalf("got %+v", d)
	}
	for name, c := range map[string]struct {
		d    Delivery
		o    DeliveryOutcome
		want bool
	}{
		"its lease":         {d, DeliveryOutcome{Lease: 1, State: DeliveryDone}, true},
		"an earlier lease":  {d.Claimed(testTime, time.Second), DeliveryOutcome{Lease: 1, State: DeliveryDone}, false},
		"retried meanwhile": {d.Retried(testTime), DeliveryOutcome{Lease: 1, State: DeliveryDone}, false},
		"cancelled":         {d.Cancelled(), DeliveryOutcome{Lease: 1, State: DeliveryDone}, false},
	} {
		if _, ok := c.d.Recorded(c.o); ok != c.want {
			t.Errorf("%s: recorded %v, want %v", name, ok, c.want)
		}
	}
	notSent, _ := d.Recorded(DeliveryOutcome{Lease: 1, State: DeliveryPending, NotSent: true, NextAttempt: testTime})
	if notSent.Attempts != 0 || !notSent.LeasedUntil.IsZero() || !notSent.NextAttempt.Equal(testTime) {
		t.Errorf("an attempt that sent nothing counts: %+v", notSent)
	}
}

func TestRetriedDeliveryHasADayLeft(t *testing.T) {
	d := Delivery{State: DeliveryFailed, GiveUpAt: testTime, Refusals: 2}.Retried(testTime)
	if d.State != DeliveryPending || !d.GiveUpAt.Equal(testTime.Add(MinRetryPeriod)) || d.Refusals != 0 {
		t.Errorf("got %+v", d)
	}
	later := testTime.Add(48 * time.Hour)
	if d := (Delivery{GiveUpAt: later}).Retried(testTime); !d.GiveUpAt.Equal(later) {
		t.Errorf("got %v, want %v", d.GiveUpAt, later)
	}
}

func TestDueTimeSetByAClockThatWasAheadIsCorrected(t *testing.T) {
	day := 24 * time.Hour
	at := func(d time.Duration) time.Time { return testTime.Add(d) }
	for name, c := range map[string]struct {
		d    Delivery
		want time.Duration // due after testTime
	}{
		"first attempt": {
			d: Delivery{Created: at(day), NextAttempt: at(day)}.Planned(),
		},
		"re-notification": {
			d:    Delivery{Created: at(time.Second), NextAttempt: at(31 * time.Second)}.Planned(),
			want: 30 * time.Second,
		},
		"retry": {
			d:    Delivery{NextAttempt: at(day), Pause: 2 * time.Minute},
			want: 2 * time.Minute,
		},
		"retry in time": {
			d:    Delivery{NextAttempt: at(time.Minute), Pause: 2 * time.Minute},
			want: time.Minute,
		},
		"overdue": {
			d:    Delivery{NextAttempt: at(-time.Hour)},
			want: -time.Hour,
		},
		"a lease by a clock": {
			d:    Delivery{NextAttempt: at(-time.Hour), LeasedUntil: at(day)},
			want: maxLease,
		},
		"a lease in time": {
			d:    Delivery{NextAttempt: at(-time.Hour), LeasedUntil: at(20 * time.Second)},
			want: 20 * time.Second,
		},
		"both by that clock": {
			d:    Delivery{NextAttempt: at(day), LeasedUntil: at(day), Pause: time.Second},
			want: maxLease,
		},
		"created by the past": {
			d:    Delivery{Created: at(-day), NextAttempt: at(-day)}.Planned(),
			want: -day,
		},
	} {
		got, changed := c.d.Rescheduled(testTime)
		if !got.DueAt().Equal(at(c.want)) || changed == c.d.DueAt().Equal(at(c.want)) {
			t.Errorf("%s: due after %v, changed %v, want %v", name, got.DueAt().Sub(testTime), changed, c.want)
		}
		if again, changed := got.Rescheduled(testTime); changed {
			t.Errorf("%s: corrected twice: %+v", name, again)
		}
	}
}
