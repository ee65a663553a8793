package bolt

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// lease.go releases the deliveries that an earlier process had claimed.

// leaseSuffix follows the host in the table dueDeliveries while a delivery is leased, so that leases are found without
// reading deliveries.
var leaseSuffix = []byte{0}

// dueValue makes the value of a delivery in the table dueDeliveries.
func dueValue(d storage.Delivery) []byte {
	if d.LeasedUntil.IsZero() {
		return []byte(d.Host)
	}
	return append([]byte(d.Host), leaseSuffix...)
}

// dueHost returns the host in such a value.
func dueHost(value []byte) string { return string(bytes.TrimSuffix(value, leaseSuffix)) }

// releaseLeases makes deliveries due again that an earlier process had leased when it ended. No other process can
// hold a lease, since this one has the file's lock. A client that had answered the earlier process is notified once
// more. On a full disk nothing is released, and the leases expire by themselves.
func (s *Store) releaseLeases(ctx context.Context) error {
	leased, err := read(ctx, s, func(t *tx) (leased []string, err error) {
		for k, v := range t.scanPrefix(dueDeliveries, nil) {
			if bytes.HasSuffix(v, leaseSuffix) {
				leased = append(leased, string(k[timeKeyLength:]))
			}
		}
		return leased, nil
	})
	if err != nil || len(leased) == 0 {
		return err
	}
	err = s.update(ctx, func(t *tx) error {
		for _, id := range leased {
			if d, ok := t.delivery(id); ok {
				before := d
				d.LeasedUntil = time.Time{}
				t.putDelivery(d, &before)
			}
		}
		return nil
	})
	if errors.Is(err, storage.ErrFull) {
		return nil
	}
	return err
}
