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
		d.NextAttempt, d.Pause = o.NextAttempt, o.Pause
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

// Planned returns a new delivery as it is stored.
func (d Delivery) Planned() Delivery {
	d.Pause = d.NextAttempt.Sub(d.Created)
	return d
}

// Rescheduled returns a pending delivery with a due time that is possible at that time. An attempt that lies farther ahead
// than its pause was set by a clock that was ahead, and so was a lease that lasts longer than any lease does. changed is
// false if both are possible.
func (d Delivery) Rescheduled(at time.Time) (rescheduled Delivery, changed bool) {
	if latest := at.Add(maxLease); d.LeasedUntil.After(latest) {
		d.LeasedUntil, changed = latest, true // not freed: its attempt may be under way
	}
	if latest := at.Add(d.Pause); d.NextAttempt.After(latest) {
		d.NextAttempt, changed = latest, true
	}
	return d, changed
}
