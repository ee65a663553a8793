package storage

import "time"

const (
	// MinRetryPeriod is how long a delivery that an administrator retries is tried at least.
	MinRetryPeriod = 24 * time.Hour
	// maxLease is longer than any delivery is leased.
	maxLease = time.Minute
)

// DueAt is when a pending delivery may be claimed next: at its next attempt, or when its lease has run out.
func (d *Delivery) DueAt() time.Time {
	if d.LeasedUntil.IsZero() {
		return d.NextAttempt
	}
	return d.LeasedUntil
}

// Claimed returns the delivery as it is after a claim: with a new lease and one attempt more.
func (d Delivery) Claimed(at time.Time, lease time.Duration) Delivery {
	d.Lease++
	d.Attempts++
	d.LeasedUntil = at.Add(lease)
	return d
}

// Recorded returns the delivery with the outcome of an attempt. ok is false, and nothing may change, if the outcome came
// after its lease was lost.
func (d Delivery) Recorded(o DeliveryOutcome) (recorded Delivery, ok bool) {
	if d.Lease != o.Lease || d.LeasedUntil.IsZero() || d.State != DeliveryPending {
		return d, false
	}
	d.State, d.Refusals, d.Answer, d.LeasedUntil = o.State, o.Refusals, o.Answer, time.Time{}
	if o.State == DeliveryPending {
		d.NextAttempt = o.NextAttempt
	}
	if o.NotSent {
		d.Attempts--
	}
	return d, true
}

// Open reports whether an administrator may retry or cancel the delivery.
func (d *Delivery) Open() bool { return d.State == DeliveryPending || d.State == DeliveryFailed }

// Retried returns the delivery due at that time. A lease that is held is lost: the new attempt is the one that counts.
func (d Delivery) Retried(at time.Time) Delivery {
	d.State, d.NextAttempt, d.LeasedUntil, d.Refusals = DeliveryPending, at, time.Time{}, 0
	if minimum := at.Add(MinRetryPeriod); d.GiveUpAt.Before(minimum) {
		d.GiveUpAt = minimum
	}
	return d
}

// Cancelled returns the delivery cancelled.
func (d Delivery) Cancelled() Delivery {
	d.State, d.LeasedUntil = DeliveryCancelled, time.Time{}
	return d
}

// Rescheduled returns a pending delivery with a due time that is possible at that time. A due time is too late if the clock
// was ahead when the delivery was created or last tried: it waits for no longer than it was to wait then. A lease is too
// long if it lasts longer than any lease does. changed is false if the due time is possible.
func (d Delivery) Rescheduled(at time.Time) (rescheduled Delivery, changed bool) {
	before := d
	if d.LeasedUntil.After(at.Add(maxLease)) {
		d.LeasedUntil = time.Time{}
	}
	scheduled := latestTime(d.Created, d.Answer.At)
	if pause := d.NextAttempt.Sub(scheduled); scheduled.After(at) && pause >= 0 {
		d.NextAttempt = at.Add(pause)
	}
	return d, !d.NextAttempt.Equal(before.NextAttempt) || !d.LeasedUntil.Equal(before.LeasedUntil)
}
