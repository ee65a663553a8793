package logout

import (
	"context"
	"fmt"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// operator.go contains the actions of an administrator on deliveries.

// RetryDelivery makes a pending or failed delivery due at once. It does not send a first re-notification before its
// time. by is the acting party, as in storage.Cause.By. Errors: storage.ErrNotFound; storage.ErrAlreadyUsed if the
// delivery is done or cancelled.
func (d *Dispatcher) RetryDelivery(ctx context.Context, id, by string) error {
	at := d.Now()
	err := d.withDelivery(ctx, id, func(delivery storage.Delivery) error {
		due := at
		if delivery.Renotification && delivery.Attempts == 0 {
			// Keep the planned time: if the client answered earlier, it could still create its session afterwards. A
			// time later than RenotifyDelay from now shows that the clock was set back.
			due = earliest(latest(at, delivery.NextAttempt), at.Add(RenotifyDelay))
		}
		update := func(old storage.ReportEntry) storage.ReportEntry {
			entry := old
			entry.NextAttempt = due
			if delivery.Renotification {
				entry.Renotification = RenotificationPending
			} else {
				entry.Delivery = storage.DeliveryPending
			}
			return MergeEntry(old, entry)
		}
		return d.Store.RetryDelivery(ctx, id, due, update, operatorEvent("delivery.retried", id, by, at))
	})
	if err != nil {
		return fmt.Errorf("retry delivery: %w", err)
	}
	d.Wake()
	return nil
}

// CancelDelivery cancels a pending or failed delivery. The trust state of its report entry stays. by is the acting
// party, as in storage.Cause.By. Errors: storage.ErrNotFound; storage.ErrAlreadyUsed if the delivery is done or
// cancelled.
func (d *Dispatcher) CancelDelivery(ctx context.Context, id, by string) error {
	at := d.Now()
	err := d.withDelivery(ctx, id, func(delivery storage.Delivery) error {
		update := func(old storage.ReportEntry) storage.ReportEntry {
			entry := old
			if delivery.Renotification {
				entry.Renotification = RenotificationFailed
			} else {
				entry.Delivery = storage.DeliveryCancelled
			}
			return MergeEntry(old, entry)
		}
		return d.Store.CancelDelivery(ctx, id, update, operatorEvent("delivery.cancelled", id, by, at))
	})
	if err != nil {
		return fmt.Errorf("cancel delivery: %w", err)
	}
	return nil
}

// operatorEvent returns the audit line of an action on a delivery.
func operatorEvent(kind, delivery, by string, at time.Time) storage.Event {
	return storage.Event{
		At:     at,
		Kind:   kind,
		By:     by,
		Detail: map[string]string{"delivery": delivery},
	}
}

// withDelivery loads a delivery and calls act with it.
func (d *Dispatcher) withDelivery(ctx context.Context, id string, act func(storage.Delivery) error) error {
	delivery, err := d.Store.Delivery(ctx, id)
	if err != nil {
		return err
	}
	return act(delivery)
}
