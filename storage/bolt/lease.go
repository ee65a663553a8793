package bolt

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// lease.go frees what an earlier process had claimed.

// leaseSuffix follows the host in the order of due deliveries while somebody is at one, so that leases are found without reading deliveries.
var leaseSuffix = []byte{0}

// dueValue is what stands in the order of due deliveries.
func dueValue(d storage.Delivery) []byte {
	if d.LeasedUntil.IsZero() {
		return []byte(d.Host)
	}
	return append([]byte(d.Host), leaseSuffix...)
}

// dueHost is the host in it.
func dueHost(value []byte) string { return string(bytes.TrimSuffix(value, leaseSuffix)) }

// releaseLeases makes due again what an earlier process was at when it died: whoever has the file's lock is alone. Who had answered that process is
// told once more. Without room for the write the leases run out by themselves.
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
