package bolt

import (
	"bytes"
	"context"
	"iter"

	"github.com/curfew-id/curfew/storage"
)

// outbox.go lists deliveries, newest first.

// allDeliveryStates lists the states in the order of the stored counts (deliveryCounts). Add new states at the end.
var allDeliveryStates = [...]storage.DeliveryState{
	storage.DeliveryPending,
	storage.DeliveryDone,
	storage.DeliveryFailed,
	storage.DeliveryCancelled,
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
		clientMatches := f.Client == "" || d.Client == f.Client
		reportMatches := f.Report == "" || d.Report == f.Report
		return d, ok && clientMatches && reportMatches
	})
}

// newestDeliveries walks the deliveries in these states from newest to oldest. It begins behind the key before; nil: at
// the newest. The keys that it yields are the delivery's time of creation and id. It merges one scan for each state.
func (t *tx) newestDeliveries(states []storage.DeliveryState, before []byte) iter.Seq2[[]byte, storage.DeliveryState] {
	return func(yield func([]byte, storage.DeliveryState) bool) {
		nextKeys := make([][]byte, len(states)) // of each state's scan; nil: the scan is at its end
		advance := make([]func(), len(states))
		for i, state := range states {
			prefix := keyPrefix(string(state))
			var from []byte
			if before != nil {
				from = append(bytes.Clone(prefix), before...)
			}
			pull, stop := iter.Pull2(t.scanBackward(deliveriesByState, prefix, from))
			defer stop()
			advance[i] = func() {
				nextKeys[i] = nil
				if k, _, ok := pull(); ok {
					nextKeys[i] = k[len(prefix):]
				}
			}
			advance[i]()
		}
		for {
			newest := 0
			for i := range nextKeys {
				if bytes.Compare(nextKeys[i], nextKeys[newest]) > 0 {
					newest = i
				}
			}
			if nextKeys[newest] == nil || !yield(nextKeys[newest], states[newest]) {
				return
			}
			advance[newest]()
		}
	}
}
