package storage

import "time"

const (
	// MinRetryPeriod is the minimum time for which Curfew tries a delivery after an administrator retried it.
	MinRetryPeriod = 24 * time.Hour
	// maxLease is longer than every lease that a caller asks for.
	maxLease = time.Minute
)

// DueAt returns when a pending delivery may be claimed next: at NextAttempt or, if it is leased, when the lease runs
// out.
func (d *Delivery) DueAt() time.Time {
	if d.LeasedUntil.IsZero() {
		return d.NextAttempt
	}
	return d.LeasedUntil
}

// Claimed returns a copy of the delivery after a claim: with a new lease, and with its attempt counted.
func (d Delivery) Claimed(at time.Time, lease time.Duration) Delivery {
	d.Lease++
	d.Attempts++
	d.LeasedUntil = at.Add(lease)
	return d
}

// Recorded returns a copy of the delivery with the outcome of an attempt. ok is false if the attempt no longer had the
// lease; the caller must then store nothing.
func (d Delivery) Recorded(o DeliveryOutcome) (recorded Delivery, ok bool) {
	hasLease := d.Lease == o.Lease && !d.LeasedUntil.IsZero()
	if !hasLease || d.State != DeliveryPending {
		return d, false
	}
	d.State = o.State
	d.Refusals = o.Refusals
	d.Answer = o.Answer
	d.LeasedUntil = time.Time{}
	if o.State == DeliveryPending {
		d.NextAttempt = o.NextAttempt
		d.Pause = o.Pause
	}
	if o.NotSent {
		d.Attempts--
	}
	return d, true
}

// Open reports whether an administrator may retry or cancel the delivery.
func (d *Delivery) Open() bool { return d.State == DeliveryPending || d.State == DeliveryFailed }

// Retried returns a copy of the delivery that is due at that time. The copy has no lease, so that the outcome of an
// attempt that is under way will be ignored.
func (d Delivery) Retried(at time.Time) Delivery {
	d.State = DeliveryPending
	d.NextAttempt = at
	d.LeasedUntil = time.Time{}
	d.Refusals = 0
	if minimum := at.Add(MinRetryPeriod); d.GiveUpAt.Before(minimum) {
		d.GiveUpAt = minimum
	}
	return d
}

// Cancelled returns a copy of the delivery that is cancelled and has no lease.
func (d Delivery) Cancelled() Delivery {
	d.State = DeliveryCancelled
	d.LeasedUntil = time.Time{}
	return d
}

// Planned returns a copy of a new delivery with Pause set to the time from its creation to its first attempt.
func (d Delivery) Planned() Delivery {
	d.Pause = d.NextAttempt.Sub(d.Created)
	return d
}

// Advanced returns a copy of the delivery with its first attempt moved to that earlier time. ok is false, and the copy
// is unchanged, if the delivery is due earlier, was attempted, or is not pending.
func (d Delivery) Advanced(at time.Time) (advanced Delivery, ok bool) {
	if d.State != DeliveryPending || d.Attempts > 0 || !at.Before(d.NextAttempt) {
		return d, false
	}
	d.NextAttempt = at
	return d, true
}

// Rescheduled corrects a pending delivery after the clock was set back. NextAttempt and LeasedUntil may then lie too
// far in the future, because a clock that was ahead set them. Rescheduled moves NextAttempt to at most now plus Pause,
// and LeasedUntil to at most now plus maxLease. changed reports whether it moved one of them.
func (d Delivery) Rescheduled(now time.Time) (rescheduled Delivery, changed bool) {
	if latest := now.Add(maxLease); d.LeasedUntil.After(latest) {
		d.LeasedUntil = latest // the lease is kept: its attempt may be under way
		changed = true
	}
	if latest := now.Add(d.Pause); d.NextAttempt.After(latest) {
		d.NextAttempt = latest
		changed = true
	}
	return d, changed
}
