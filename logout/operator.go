package logout

import (
	"context"
	"fmt"

	"github.com/curfew-id/curfew/storage"
)

// Retry makes a delivery due at once, one that was given up too; a second telling at its time and not before. by is who asked, as in storage.Cause.By.
// storage.ErrNotFound; storage.ErrSpent if it is done.
func (d *Dispatcher) Retry(ctx context.Context, id, by string) error {
	at := d.Now()
	err := d.decide(ctx, id, func(delivery storage.Delivery) error {
		due := at
		if delivery.Late && delivery.Attempts == 0 {
			// Before that an answer to the second telling proves no more than one to the first. It is no further off unless the clock was put back.
			due = earlier(latest(at, delivery.Next), at.Add(LateJoin))
		}
		row := func(old storage.Row) storage.Row {
			row := old
			if row.Next = due; delivery.Late {
				row.Late = LatePending
			} else {
				row.Delivery = storage.DeliveryPending
			}
			return Advance(old, row)
		}
		return d.Store.RetryDelivery(ctx, id, due, row, storage.Event{At: at, Kind: "delivery.retried", By: by, Detail: map[string]string{"delivery": id}})
	})
	if err != nil {
		return fmt.Errorf("retry delivery: %w", err)
	}
	d.Wake()
	return nil
}

// GiveUp cancels a delivery that is still to be tried, or takes note of one that failed, so that it is looked for no more. What its holder may
// trust stays as it was.
// storage.ErrNotFound; storage.ErrSpent if it is done.
func (d *Dispatcher) GiveUp(ctx context.Context, id, by string) error {
	at := d.Now()
	err := d.decide(ctx, id, func(delivery storage.Delivery) error {
		row := func(old storage.Row) storage.Row {
			row := old
			if delivery.Late {
				row.Late = LateFailed
			} else {
				row.Delivery = storage.DeliveryCancelled
			}
			return Advance(old, row)
		}
		return d.Store.CancelDelivery(ctx, id, at, row, storage.Event{At: at, Kind: "delivery.cancelled", By: by, Detail: map[string]string{"delivery": id}})
	})
	if err != nil {
		return fmt.Errorf("cancel delivery: %w", err)
	}
	return nil
}

// decide acts on a delivery, knowing what it is.
func (d *Dispatcher) decide(ctx context.Context, id string, act func(storage.Delivery) error) error {
	delivery, err := d.Store.Delivery(ctx, id)
	if err != nil {
		return err
	}
	return act(delivery)
}
