package bolt

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// lease.go frees what an earlier process had claimed.

// leaseMark follows the host in the order of due deliveries while somebody is at one, so that leases are found without reading deliveries.
var leaseMark = []byte{0}

// dueValue is what stands in the order of due deliveries.
func dueValue(d storage.Delivery) []byte {
	if d.Leased.IsZero() {
		return []byte(d.Host)
	}
	return append([]byte(d.Host), leaseMark...)
}

// dueHost is the host in it.
func dueHost(value []byte) string { return string(bytes.TrimSuffix(value, leaseMark)) }

// freeLeases makes due again what an earlier process was at when it died: whoever has the file's lock is alone. Who had answered that process is
// told once more. Without room for the write the leases run out by themselves.
func (s *Store) freeLeases(ctx context.Context) error {
	held, err := read(ctx, s, func(t *tx) (held []string, err error) {
		for k, v := range t.prefix(due, nil) {
			if bytes.HasSuffix(v, leaseMark) {
				held = append(held, string(k[timeLength:]))
			}
		}
		return held, nil
	})
	if err != nil || len(held) == 0 {
		return err
	}
	err = s.update(ctx, func(t *tx) error {
		for _, id := range held {
			if d, ok := t.delivery(id); ok {
				before := d
				d.Leased = time.Time{}
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
