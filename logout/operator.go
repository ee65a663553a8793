package logout

import (
	"context"
	"fmt"

	"github.com/curfew-id/curfew/storage"
)

// RetryDelivery makes a delivery due at once, one that was given up too; a second telling at its time and not before. by is who asked, as in storage.Cause.By.
// storage.ErrNotFound; storage.ErrSpent if it is done.
func (d *Dispatcher) RetryDelivery(ctx context.Context, id, by string) error {
	at := d.Now()
	err := d.withDelivery(ctx, id, func(delivery storage.Delivery) error {
		due := at
		if delivery.Renotification && delivery.Attempts == 0 {
			// Before that an answer to the second telling proves no more than one to the first. It is no further off unless the clock was put back.
			due = earliest(latest(at, delivery.NextAttempt), at.Add(RenotifyDelay))
		}
		update := func(old storage.ReportEntry) storage.ReportEntry {
			entry := old
			if entry.NextAttempt = due; delivery.Renotification {
				entry.Renotification = RenotificationPending
			} else {
				entry.Delivery = storage.DeliveryPending
			}
			return MergeEntry(old, entry)
		}
		return d.Store.RetryDelivery(ctx, id, due, update, storage.Event{At: at, Kind: "delivery.retried", By: by, Detail: map[string]string{"delivery": id}})
	})
	if err != nil {
		return fmt.Errorf("retry delivery: %w", err)
	}
	d.Wake()
	return nil
}

// CancelDelivery cancels a delivery that is still to be tried, or takes note of one that failed, so that it is looked for no more. What its holder may
// trust stays as it was.
// storage.ErrNotFound; storage.ErrSpent if it is done.
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
		return d.Store.CancelDelivery(ctx, id, update, storage.Event{At: at, Kind: "delivery.cancelled", By: by, Detail: map[string]string{"delivery": id}})
	})
	if err != nil {
		return fmt.Errorf("cancel delivery: %w", err)
	}
	return nil
}

// withDelivery acts on a delivery, knowing what it is.
func (d *Dispatcher) withDelivery(ctx context.Context, id string, act func(storage.Delivery) error) error {
	delivery, err := d.Store.Delivery(ctx, id)
	if err != nil {
		return err
	}
	return act(delivery)
}
