package bolt

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// lease.go releases the leases of an earlier process.

// leaseSuffix follows the host in a value of the table dueDeliveries while the delivery is leased. The store thus finds
// leases without reading the deliveries.
var leaseSuffix = []byte{0}

// dueValue returns the value of a delivery in the table dueDeliveries.
func dueValue(d storage.Delivery) []byte {
	if d.LeasedUntil.IsZero() {
		return []byte(d.Host)
	}
	return append([]byte(d.Host), leaseSuffix...)
}

// dueHost returns the host in a value that dueValue made.
func dueHost(value []byte) string { return string(bytes.TrimSuffix(value, leaseSuffix)) }

// releaseLeases makes the deliveries due that an earlier process had leased when it ended. No other process can have a
// lease, because this process has the file's lock. If a client answered the earlier process but the answer was not
// stored, the client is notified once more. On a full disk the leases stay until they expire.
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
