package storage

import "time"

const (
	// MinRetryPeriod is the minimum time for which Curfew keeps trying a delivery after an administrator retried it.
	MinRetryPeriod = 24 * time.Hour
	// maxLease is an upper limit: every lease is shorter.
	maxLease = time.Minute
)

// DueAt is when a pending delivery may be claimed next: at its next attempt, or when its lease has run out.
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

// Recorded returns a copy of the delivery with the outcome of an attempt. ok is false, and the copy is unchanged, if
// the attempt no longer had the lease: the caller must then store nothing.
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

// Open reports whether an administrator may retry or cancel the delivery: it is neither delivered nor cancelled.
func (d *Delivery) Open() bool { return d.State == DeliveryPending || d.State == DeliveryFailed }

// Retried returns a copy of the delivery that is due at that time. It has no lease: the outcome of an attempt that is
// under way is ignored.
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

// Planned returns a copy of a new delivery with its Pause set: the time from its creation to its first attempt.
func (d Delivery) Planned() Delivery {
	d.Pause = d.NextAttempt.Sub(d.Created)
	return d
}

// Rescheduled corrects a pending delivery after the clock was put back. If the clock was ahead when it dated the next
// attempt or the lease, that time now lies too far in the future: NextAttempt is moved to at most now plus Pause, and
// LeasedUntil to at most now plus maxLease. changed reports whether one of them was moved.
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
