package logout

import (
	"context"
	"fmt"

	"github.com/curfew-id/curfew/storage"
)

// RetryDelivery makes a delivery due at once, also one that has failed. A re-notification is not sent before its
// time. by is the acting party, as in storage.Cause.By. Errors: storage.ErrNotFound; storage.ErrAlreadyUsed if the
// delivery is done.
func (d *Dispatcher) RetryDelivery(ctx context.Context, id, by string) error {
	at := d.Now()
	err := d.withDelivery(ctx, id, func(delivery storage.Delivery) error {
		due := at
		if delivery.Renotification && delivery.Attempts == 0 {
			// An answer to an earlier re-notification would prove no more than the answer to the first notification.
			// Its time is further off than RenotifyDelay only if the clock was put back.
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
		return d.Store.RetryDelivery(
			ctx,
			id,
			due,
			update,
			storage.Event{At: at, Kind: "delivery.retried", By: by, Detail: map[string]string{"delivery": id}},
		)
	})
	if err != nil {
		return fmt.Errorf("retry delivery: %w", err)
	}
	d.Wake()
	return nil
}

// CancelDelivery cancels a pending delivery, or acknowledges a failed one, so that it is listed as pending or failed
// no more. The trust state of its entry stays as it was. Errors: storage.ErrNotFound; storage.ErrAlreadyUsed if the
// delivery is done.
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
		return d.Store.CancelDelivery(
			ctx,
			id,
			update,
			storage.Event{At: at, Kind: "delivery.cancelled", By: by, Detail: map[string]string{"delivery": id}},
		)
	})
	if err != nil {
		return fmt.Errorf("cancel delivery: %w", err)
	}
	return nil
}

// withDelivery loads a delivery and calls act with it.
func (d *Dispatcher) withDelivery(ctx context.Context, id string, act func(storage.Delivery) error) error {
	delivery, err := d.Store.Delivery(ctx, id)
	if err != nil {
		return err
	}
	return act(delivery)
}
