package bolt

import (
	"bytes"
	"context"
	"iter"

	"github.com/curfew-id/curfew/storage"
)

// outbox.go lists deliveries across their states, newest first.

var allDeliveryStates = [...]storage.DeliveryState{
	storage.DeliveryPending, storage.DeliveryDone, storage.DeliveryFailed, storage.DeliveryCancelled,
}

// ListDeliveries implements storage.Deliveries.
func (s *Store) ListDeliveries(
	ctx context.Context,
	f storage.DeliveryFilter,
	p storage.Page,
) ([]storage.Delivery, string, error) {
	states := allDeliveryStates[:]
	if f.State != "" {
		states = []storage.DeliveryState{f.State}
	}
	walk := func(t *tx, after []byte) iter.Seq2[[]byte, storage.DeliveryState] {
		return t.newestDeliveries(states, after)
	}
	return list(ctx, s, p, walk, func(t *tx, k []byte, _ storage.DeliveryState) (storage.Delivery, bool) {
		d, ok := t.delivery(string(k[timeKeyLength:]))
		return d, ok && (f.Client == "" || d.Client == f.Client) && (f.Report == "" || d.Report == f.Report)
	})
}

// newestDeliveries walks the time and id of the deliveries in these states that precede before, newest first: each
// state has an order of its own, and the latest of their first keys is the next one.
func (t *tx) newestDeliveries(states []storage.DeliveryState, before []byte) iter.Seq2[[]byte, storage.DeliveryState] {
	return func(yield func([]byte, storage.DeliveryState) bool) {
		heads := make([][]byte, len(states))
		advance := make([]func(), len(states))
		for i, state := range states {
			prefix := keyPrefix(string(state))
			from := []byte(nil)
			if before != nil {
				from = append(bytes.Clone(prefix), before...)
			}
			pull, stop := iter.Pull2(t.scanBackward(deliveriesByState, prefix, from))
			defer stop()
			advance[i] = func() {
				heads[i] = nil
				if k, _, ok := pull(); ok {
					heads[i] = k[len(prefix):]
				}
			}
			advance[i]()
		}
		for {
			latest := 0
			for i := range heads {
				if bytes.Compare(heads[i], heads[latest]) > 0 {
					latest = i
				}
			}
			if heads[latest] == nil || !yield(heads[latest], states[latest]) {
				return
			}
			advance[latest]()
		}
	}
}
