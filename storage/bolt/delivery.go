package bolt

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/curfew-id/curfew/storage"
)

const (
	deliveryRetention = 7 * 24 * time.Hour // how long a delivery without a report is kept after it is given up
	rescheduleBatch   = 500                // deliveries whose due times are corrected in one transaction
)

// ClaimDeliveries implements storage.Deliveries.
func (s *Store) ClaimDeliveries(
	ctx context.Context,
	at time.Time,
	lease time.Duration,
	limit int,
	hostBusy func(string, int) bool,
) ([]storage.Delivery, error) {
	at = truncateToMillis(at)
	s.observeTime(at)
	return writeOrTakeBack(ctx, s, func(t *tx) ([]storage.Delivery, error) {
		var list []storage.Delivery
		claimed := map[string]int{}
		for k, v := range t.scanPrefix(dueDeliveries, nil) {
			if keyTime(k).After(at) || len(list) == limit {
				break
			}
			host := dueHost(v)
			if hostBusy != nil && hostBusy(host, claimed[host]) {
				continue
			}
			if d, ok := load[storage.Delivery](t, deliveries, k[timeKeyLength:]); ok {
				claimed[host]++
				list = append(list, d)
			}
		}
		for i := range list {
			before := list[i]
			list[i] = before.Claimed(at, lease)
			list[i].LeasedUntil = truncateToMillis(list[i].LeasedUntil)
			t.putDelivery(list[i], &before)
		}
		return list, nil
	}, (*tx).takeBackClaims)
}

// RecordOutcomes implements storage.Deliveries.
func (s *Store) RecordOutcomes(ctx context.Context, outcomes []storage.DeliveryOutcome) ([]string, error) {
	return write(ctx, s, func(t *tx) (stale []string, err error) {
		pending := map[string]*storage.Report{} // each is read and written once, however many of its entries change
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
	for {
		n, err := write(ctx, s, func(t *tx) (int, error) { return t.rescheduleDeliveries(at, rescheduleBatch), nil })
		if err != nil || n < rescheduleBatch {
			return err
		}
	}
}

// rescheduleDeliveries corrects up to limit due times. Only those that lie ahead can be impossible.
func (t *tx) rescheduleDeliveries(at time.Time, limit int) int {
	var impossible []storage.Delivery
	for k := range t.scanAfter(dueDeliveries, nil, timeKey(at)) {
		if d, ok := t.delivery(string(k[timeKeyLength:])); ok {
			if _, changed := d.Rescheduled(at); changed {
				impossible = append(impossible, d)
			}
		}
		if len(impossible) == limit {
			break
		}
	}
	for _, before := range impossible {
		d, _ := before.Rescheduled(at)
		t.putDelivery(d, &before)
	}
	return len(impossible)
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

// changeDelivery stores a delivery that an administrator has changed, its report's entry, and the audit line.
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

// auditDelivery writes an audit line about a delivery. r is its report, nil if it is to be read.
func (t *tx) auditDelivery(d storage.Delivery, r *storage.Report, e storage.Event) {
	if e.Client = d.Client; r == nil {
		loaded, _ := load[storage.Report](t, reports, []byte(d.Report))
		r = &loaded
	}
	e.Subject, e.Session, e.Cause, e.Reason = r.Subject, r.Session, r.Cause.ID, r.Cause.Reason
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

// addDelivery stores a new delivery, kept until keepUntil, or (zero) for a while after it is given up.
func (t *tx) addDelivery(d storage.Delivery, keepUntil time.Time) {
	t.putDelivery(d.Planned(), nil)
	if minimum := d.GiveUpAt.Add(deliveryRetention); keepUntil.IsZero() {
		keepUntil = minimum
	}
	t.scheduleExpiry(keepUntil, expiryDelivery, []byte(d.ID))
}

// putDelivery stores a delivery and moves the index entries that differ from before (nil: it is new).
func (t *tx) putDelivery(d storage.Delivery, before *storage.Delivery) {
	for _, at := range []*time.Time{&d.Created, &d.NextAttempt, &d.GiveUpAt, &d.LeasedUntil, &d.Answer.At} {
		*at = truncateToMillis(*at)
	}
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

// deliveryCounts returns how many deliveries there are of each state, in the order of allDeliveryStates. The numbers
// are stored, because finished deliveries stay as long as their reports, and the metrics need the numbers every few
// seconds.
func (t *tx) deliveryCounts() (counts [len(allDeliveryStates)]uint64) {
	if value := t.get(meta, deliveryCountsKey); len(value) == 8*len(counts) {
		for i := range counts {
			counts[i] = binary.BigEndian.Uint64(value[8*i:])
		}
	}
	return counts
}

// adjustDeliveryCount counts deliveries of a state up or down.
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

// dueKey is a pending delivery's key in the order in which deliveries are due.
func dueKey(d storage.Delivery) []byte {
	return timeKey(d.DueAt(), []byte(d.ID)...)
}

func deliveryStateKey(d storage.Delivery) []byte {
	return append(keyPrefix(string(d.State)), timeKey(d.Created, []byte(d.ID)...)...)
}
