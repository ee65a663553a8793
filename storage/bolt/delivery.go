package bolt

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/curfew-id/curfew/storage"
)

const (
	deliveryRetention = 7 * 24 * time.Hour // a delivery without a report is removed this long after GiveUpAt
	rescheduleBatch   = 500                // number of due times that one transaction corrects
)

// ClaimDeliveries implements storage.Deliveries.
func (s *Store) ClaimDeliveries(
	ctx context.Context,
	at time.Time,
	lease time.Duration,
	limit int,
	newFilter func() storage.ClaimFilter,
) ([]storage.Delivery, error) {
	at = truncateToMillis(at)
	s.observeTime(at)
	claim := func(t *tx) ([]storage.Delivery, error) {
		mayTake := storage.ClaimFilter(func(string) bool { return true })
		if newFilter != nil {
			mayTake = newFilter()
		}
		list := t.availableDeliveries(at, limit, mayTake)
		for i, before := range list {
			list[i] = before.Claimed(at, lease)
			list[i].LeasedUntil = truncateToMillis(list[i].LeasedUntil)
			t.putDelivery(list[i], &before)
		}
		return list, nil
	}
	return writeOrTakeBack(ctx, s, claim, (*tx).takeBackClaims)
}

// availableDeliveries lists up to limit deliveries that are due, not leased, and accepted by mayTake, the earliest
// first.
func (t *tx) availableDeliveries(at time.Time, limit int, mayTake storage.ClaimFilter) (list []storage.Delivery) {
	for k, v := range t.scanPrefix(dueDeliveries, nil) {
		if keyTime(k).After(at) || len(list) == limit {
			break
		}
		if !mayTake(dueHost(v)) {
			continue
		}
		if d, ok := load[storage.Delivery](t, deliveries, k[timeKeyLength:]); ok {
			list = append(list, d)
		}
	}
	return list
}

// RecordOutcomes implements storage.Deliveries.
func (s *Store) RecordOutcomes(ctx context.Context, outcomes []storage.DeliveryOutcome) ([]string, error) {
	return write(ctx, s, func(t *tx) (stale []string, err error) {
		pending := map[string]*storage.Report{} // changed reports: each is read and written once
		for _, o := range outcomes {
			if o.HostHealth != nil {
				t.putHostHealth(*o.HostHealth)
			}
			before, found := t.delivery(o.ID)
			d, current := before.Recorded(o)
			if !found || !current {
				stale = append(stale, o.ID)
				continue
			}
			t.putDelivery(d, &before)
			t.editEntry(pending, d.Report, d.Client, o.UpdateEntry)
			if o.Event != nil {
				t.auditDelivery(d, pending[d.Report], *o.Event)
			}
		}
		t.putReports(pending)
		return stale, nil
	})
}

// RescheduleDeliveries implements storage.Deliveries.
func (s *Store) RescheduleDeliveries(ctx context.Context, at time.Time) error {
	at = truncateToMillis(at)
	rescheduleOneBatch := func(t *tx) (int, error) { return t.rescheduleDeliveries(at, rescheduleBatch), nil }
	for {
		n, err := write(ctx, s, rescheduleOneBatch)
		if err != nil || n < rescheduleBatch {
			return err
		}
	}
}

// rescheduleDeliveries corrects up to limit due times, and returns how many. Only due times after at can be wrong.
func (t *tx) rescheduleDeliveries(at time.Time, limit int) int {
	var wrong []storage.Delivery
	for k := range t.scanAfter(dueDeliveries, nil, timeKey(at)) {
		if d, ok := t.delivery(string(k[timeKeyLength:])); ok {
			if _, changed := d.Rescheduled(at); changed {
				wrong = append(wrong, d)
			}
		}
		if len(wrong) == limit {
			break
		}
	}
	for _, before := range wrong {
		d, _ := before.Rescheduled(at)
		t.putDelivery(d, &before)
	}
	return len(wrong)
}

// NextDelivery implements storage.Deliveries.
func (s *Store) NextDelivery(ctx context.Context) (time.Time, error) {
	return read(ctx, s, func(t *tx) (time.Time, error) {
		if k, _ := t.bucket(dueDeliveries).Cursor().First(); k != nil {
			return keyTime(k), nil
		}
		return time.Time{}, nil
	})
}

// Delivery implements storage.Deliveries.
func (s *Store) Delivery(ctx context.Context, id string) (storage.Delivery, error) {
	return read(ctx, s, func(t *tx) (storage.Delivery, error) {
		d, ok := t.delivery(id)
		if !ok {
			return d, fmt.Errorf("find delivery: %w", storage.ErrNotFound)
		}
		return d, nil
	})
}

// RetryDelivery implements storage.Deliveries.
func (s *Store) RetryDelivery(
	ctx context.Context,
	id string,
	at time.Time,
	updateEntry func(storage.ReportEntry) storage.ReportEntry,
	e storage.Event,
) error {
	at = truncateToMillis(at)
	return s.update(ctx, func(t *tx) error {
		d, err := t.openDelivery(id)
		if err != nil {
			return fmt.Errorf("retry delivery: %w", err)
		}
		t.changeDelivery(d.Retried(at), d, updateEntry, e)
		return nil
	})
}

// AdvanceDelivery implements storage.Deliveries.
func (s *Store) AdvanceDelivery(
	ctx context.Context,
	id string,
	at time.Time,
	updateEntry func(storage.ReportEntry) storage.ReportEntry,
) error {
	at = truncateToMillis(at)
	return s.update(ctx, func(t *tx) error {
		before, found := t.delivery(id)
		if !found {
			return fmt.Errorf("advance delivery: %w", storage.ErrNotFound)
		}
		d, ok := before.Advanced(at)
		if !ok {
			return nil
		}
		t.putDelivery(d, &before)
		pending := map[string]*storage.Report{}
		t.editEntry(pending, d.Report, d.Client, updateEntry)
		t.putReports(pending)
		return nil
	})
}

// CancelDelivery implements storage.Deliveries.
func (s *Store) CancelDelivery(
	ctx context.Context,
	id string,
	updateEntry func(storage.ReportEntry) storage.ReportEntry,
	e storage.Event,
) error {
	return s.update(ctx, func(t *tx) error {
		d, err := t.openDelivery(id)
		if err != nil {
			return fmt.Errorf("cancel delivery: %w", err)
		}
		t.changeDelivery(d.Cancelled(), d, updateEntry, e)
		return nil
	})
}

// openDelivery finds a delivery that an administrator may retry or cancel.
func (t *tx) openDelivery(id string) (storage.Delivery, error) {
	d, ok := t.delivery(id)
	switch {
	case !ok:
		return d, storage.ErrNotFound
	case !d.Open():
		return d, storage.ErrAlreadyUsed
	}
	return d, nil
}

// changeDelivery stores a delivery that an administrator has changed, the entry in its report, and the audit line.
func (t *tx) changeDelivery(
	d, before storage.Delivery,
	updateEntry func(storage.ReportEntry) storage.ReportEntry,
	e storage.Event,
) {
	t.putDelivery(d, &before)
	pending := map[string]*storage.Report{}
	t.editEntry(pending, d.Report, d.Client, updateEntry)
	t.auditDelivery(d, pending[d.Report], e)
	t.putReports(pending)
}

// auditDelivery writes an audit line about a delivery. r is its report; if it is nil, auditDelivery reads it.
func (t *tx) auditDelivery(d storage.Delivery, r *storage.Report, e storage.Event) {
	if r == nil {
		loaded, _ := load[storage.Report](t, reports, []byte(d.Report))
		r = &loaded
	}
	e.Client = d.Client
	e.Subject = r.Subject
	e.Session = r.SessionHash
	e.Cause = r.Cause.ID
	e.Reason = r.Cause.Reason
	t.appendEvent(e)
}

// CountDeliveries implements storage.Deliveries.
func (s *Store) CountDeliveries(
	ctx context.Context,
) (byState map[storage.DeliveryState]int, oldest time.Time, err error) {
	byState = map[storage.DeliveryState]int{}
	err = s.view(ctx, func(t *tx) error {
		for i, n := range t.deliveryCounts() {
			if n > 0 {
				byState[allDeliveryStates[i]] = int(n)
			}
		}
		pending := keyPrefix(string(storage.DeliveryPending))
		for k := range t.scanPrefix(deliveriesByState, pending) {
			oldest = keyTime(k[len(pending):])
			break
		}
		return nil
	})
	if err != nil {
		return nil, time.Time{}, err
	}
	return byState, oldest, nil
}

// delivery finds a delivery.
func (t *tx) delivery(id string) (storage.Delivery, bool) {
	return load[storage.Delivery](t, deliveries, []byte(id))
}

// addDelivery stores a new delivery and keeps it until keepUntil. Zero: until deliveryRetention after GiveUpAt.
func (t *tx) addDelivery(d storage.Delivery, keepUntil time.Time) {
	t.putDelivery(d.Planned(), nil)
	if keepUntil.IsZero() {
		keepUntil = d.GiveUpAt.Add(deliveryRetention)
	}
	t.scheduleExpiry(keepUntil, expiryDelivery, []byte(d.ID))
}

// putDelivery stores a delivery and updates its index entries. before is the stored record; nil: the delivery is new.
func (t *tx) putDelivery(d storage.Delivery, before *storage.Delivery) {
	truncateTimes(&d.Created, &d.NextAttempt, &d.GiveUpAt, &d.LeasedUntil, &d.Answer.At)
	if before == nil || before.State != d.State {
		t.put(deliveriesByState, deliveryStateKey(d), nil)
		t.adjustDeliveryCount(d.State, 1)
		if before != nil {
			t.delete(deliveriesByState, deliveryStateKey(*before))
			t.adjustDeliveryCount(before.State, -1)
		}
	}
	if before != nil && before.State == storage.DeliveryPending {
		t.delete(dueDeliveries, dueKey(*before))
	}
	t.store(deliveries, []byte(d.ID), d)
	if d.State == storage.DeliveryPending {
		t.put(dueDeliveries, dueKey(d), dueValue(d))
	}
}

// deleteDeliveryIndexes removes the index entries of a delivery.
func (t *tx) deleteDeliveryIndexes(d storage.Delivery) {
	t.delete(deliveriesByState, deliveryStateKey(d))
	if d.State == storage.DeliveryPending {
		t.delete(dueDeliveries, dueKey(d))
	}
}

// deliveryCounts returns the number of deliveries in each state, in the order of allDeliveryStates. The numbers are
// stored, because counting would take too long: the metrics need them every few seconds, and finished deliveries stay
// in the store as long as their reports.
func (t *tx) deliveryCounts() (counts [len(allDeliveryStates)]uint64) {
	if value := t.get(meta, deliveryCountsKey); len(value) == 8*len(counts) {
		for i := range counts {
			counts[i] = binary.BigEndian.Uint64(value[8*i:])
		}
	}
	return counts
}

// adjustDeliveryCount adds delta to the number of deliveries in a state.
func (t *tx) adjustDeliveryCount(state storage.DeliveryState, delta int) {
	counts := t.deliveryCounts()
	value := make([]byte, 0, 8*len(counts))
	for i, n := range counts {
		if allDeliveryStates[i] == state {
			n += uint64(delta)
		}
		value = binary.BigEndian.AppendUint64(value, n)
	}
	t.put(meta, deliveryCountsKey, value)
}

var deliveryCountsKey = []byte("deliveries")

// dueKey returns the key of a pending delivery in the table dueDeliveries.
func dueKey(d storage.Delivery) []byte {
	return timeKey(d.DueAt(), []byte(d.ID)...)
}

func deliveryStateKey(d storage.Delivery) []byte {
	return append(keyPrefix(string(d.State)), timeKey(d.Created, []byte(d.ID)...)...)
}
