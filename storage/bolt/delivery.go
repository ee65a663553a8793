package bolt

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/curfew-id/curfew/storage"
)

const (
	retryLife    = 24 * time.Hour     // what a delivery that is retried by hand has left at least
	deliveryKeep = 7 * 24 * time.Hour // how long a delivery without a report is kept after it is given up
)

// ClaimDeliveries implements storage.Deliveries.
func (s *Store) ClaimDeliveries(ctx context.Context, at time.Time, lease time.Duration, max int, busy func(string, int) bool) ([]storage.Delivery, error) {
	at = milli(at)
	s.saw(at)
	return write(ctx, s, func(t *tx) ([]storage.Delivery, error) {
		var list []storage.Delivery
		taken := map[string]int{}
		for k, v := range t.prefix(due, nil) {
			if keyTime(k).After(at) || len(list) == max {
				break
			}
			host := dueHost(v)
			if busy != nil && busy(host, taken[host]) {
				continue
			}
			if d, ok := load[storage.Delivery](t, deliveries, k[timeLength:]); ok {
				taken[host]++
				list = append(list, d)
			}
		}
		for i := range list {
			d := &list[i]
			before := *d
			d.Lease++
			d.Attempts++
			d.Leased = milli(at.Add(lease))
			t.putDelivery(*d, &before)
		}
		return list, nil
	})
}

// SettleDeliveries implements storage.Deliveries.
func (s *Store) SettleDeliveries(ctx context.Context, outcomes []storage.Settlement) ([]string, error) {
	return write(ctx, s, func(t *tx) (stale []string, err error) {
		changed := map[string]*storage.Report{} // each is read and written once, however many of its rows change
		for _, o := range outcomes {
			d, ok := t.delivery(o.ID)
			if !ok || d.Lease != o.Lease || d.Leased.IsZero() || d.State != storage.DeliveryPending {
				stale = append(stale, o.ID)
				continue
			}
			before := d
			d.State, d.Refused, d.Answer, d.Leased = o.State, o.Refused, o.Answer, time.Time{}
			if o.State == storage.DeliveryPending {
				d.Next = o.Next
			}
			if o.Unsent {
				d.Attempts--
			}
			t.putDelivery(d, &before)
			t.changeRow(changed, d.Report, d.Client, o.Row)
			if o.Event != nil {
				t.noteDelivery(d, changed[d.Report], *o.Event)
			}
		}
		t.putReports(changed)
		return stale, nil
	})
}

// NextDelivery implements storage.Deliveries.
func (s *Store) NextDelivery(ctx context.Context) (time.Time, error) {
	return read(ctx, s, func(t *tx) (time.Time, error) {
		if k, _ := t.bucket(due).Cursor().First(); k != nil {
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

// RetryDelivery implements storage.Deliveries. A lease that is held is lost: the new attempt is the one that counts.
func (s *Store) RetryDelivery(ctx context.Context, id string, at time.Time, row func(storage.Row) storage.Row, e storage.Event) error {
	at = milli(at)
	return s.update(ctx, func(t *tx) error {
		d, ok := t.delivery(id)
		switch {
		case !ok:
			return fmt.Errorf("retry delivery: %w", storage.ErrNotFound)
		case d.State != storage.DeliveryPending && d.State != storage.DeliveryFailed:
			return fmt.Errorf("retry delivery: %w", storage.ErrSpent)
		}
		before := d
		d.State, d.Next, d.Leased, d.Refused = storage.DeliveryPending, at, time.Time{}, 0
		if least := at.Add(retryLife); d.GiveUp.Before(least) {
			d.GiveUp = least
		}
		t.changeDelivery(d, before, row, e)
		return nil
	})
}

// CancelDelivery implements storage.Deliveries.
func (s *Store) CancelDelivery(ctx context.Context, id string, _ time.Time, row func(storage.Row) storage.Row, e storage.Event) error {
	return s.update(ctx, func(t *tx) error {
		d, ok := t.delivery(id)
		switch {
		case !ok:
			return fmt.Errorf("cancel delivery: %w", storage.ErrNotFound)
		case d.State != storage.DeliveryPending && d.State != storage.DeliveryFailed:
			return fmt.Errorf("cancel delivery: %w", storage.ErrSpent)
		}
		before := d
		d.State, d.Leased = storage.DeliveryCancelled, time.Time{}
		t.changeDelivery(d, before, row, e)
		return nil
	})
}

// changeDelivery stores what an administrator decided, with its row and its audit line.
func (t *tx) changeDelivery(d, before storage.Delivery, row func(storage.Row) storage.Row, e storage.Event) {
	t.putDelivery(d, &before)
	changed := map[string]*storage.Report{}
	t.changeRow(changed, d.Report, d.Client, row)
	t.noteDelivery(d, changed[d.Report], e)
	t.putReports(changed)
}

// noteDelivery writes an audit line about a delivery. r is its report, nil if it is to be read.
func (t *tx) noteDelivery(d storage.Delivery, r *storage.Report, e storage.Event) {
	if e.Client = d.Client; r == nil {
		read, _ := load[storage.Report](t, reports, []byte(d.Report))
		r = &read
	}
	e.Subject, e.Session, e.Cause, e.Reason = r.Subject, r.Session, r.Cause.ID, r.Cause.Reason
	t.appendEvent(e)
}

// CountDeliveries implements storage.Deliveries.
func (s *Store) CountDeliveries(ctx context.Context) (byState map[storage.DeliveryState]int, oldest time.Time, err error) {
	byState = map[storage.DeliveryState]int{}
	err = s.view(ctx, func(t *tx) error {
		for i, n := range t.deliveryCounts() {
			if n > 0 {
				byState[deliveryStateList[i]] = int(n)
			}
		}
		pending := within(string(storage.DeliveryPending))
		for k := range t.prefix(deliveryStates, pending) {
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

// delivery finds one.
func (t *tx) delivery(id string) (storage.Delivery, bool) {
	return load[storage.Delivery](t, deliveries, []byte(id))
}

// addDelivery stores a new delivery, kept until keep, or a while after it is given up if that is later.
func (t *tx) addDelivery(d storage.Delivery, keep time.Time) {
	t.putDelivery(d, nil)
	if least := d.GiveUp.Add(deliveryKeep); keep.IsZero() {
		keep = least
	}
	t.expire(keep, expiryDelivery, []byte(d.ID))
}

// putDelivery stores a delivery and moves the index entries that change from where before has them (nil: new).
func (t *tx) putDelivery(d storage.Delivery, before *storage.Delivery) {
	for _, at := range []*time.Time{&d.Created, &d.Next, &d.GiveUp, &d.Leased, &d.Answer.At} {
		*at = milli(*at)
	}
	if before == nil || before.State != d.State {
		t.put(deliveryStates, stateKey(d), nil)
		t.countDelivery(d.State, 1)
		if before != nil {
			t.delete(deliveryStates, stateKey(*before))
			t.countDelivery(before.State, -1)
		}
	}
	if before != nil && before.State == storage.DeliveryPending {
		t.delete(due, dueKey(*before))
	}
	t.store(deliveries, []byte(d.ID), d)
	if d.State == storage.DeliveryPending {
		t.put(due, dueKey(d), dueValue(d))
	}
}

// dropDelivery removes the index entries of a delivery.
func (t *tx) dropDelivery(d storage.Delivery) {
	t.delete(deliveryStates, stateKey(d))
	if d.State == storage.DeliveryPending {
		t.delete(due, dueKey(d))
	}
}

// deliveryCounts are how many deliveries there are of each state, in the order of deliveryStateList. They are kept, because finished
// deliveries stay as long as their reports and metrics ask every few seconds.
func (t *tx) deliveryCounts() (counts [len(deliveryStateList)]uint64) {
	if value := t.get(meta, deliveriesKey); len(value) == 8*len(counts) {
		for i := range counts {
			counts[i] = binary.BigEndian.Uint64(value[8*i:])
		}
	}
	return counts
}

// countDelivery counts deliveries of a state up or down.
func (t *tx) countDelivery(state storage.DeliveryState, by int) {
	counts := t.deliveryCounts()
	value := make([]byte, 0, 8*len(counts))
	for i, n := range counts {
		if deliveryStateList[i] == state {
			n += uint64(by)
		}
		value = binary.BigEndian.AppendUint64(value, n)
	}
	t.put(meta, deliveriesKey, value)
}

var deliveriesKey = []byte("deliveries")

// dueKey is a pending delivery's place in the order in which they may be taken.
func dueKey(d storage.Delivery) []byte {
	when := d.Next
	if !d.Leased.IsZero() {
		when = d.Leased
	}
	return timeKey(when, []byte(d.ID)...)
}

func stateKey(d storage.Delivery) []byte {
	return append(within(string(d.State)), timeKey(d.Created, []byte(d.ID)...)...)
}
