package bolt

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	"github.com/curfew-id/curfew/storage"
)

// cache has decoded records that are read without touching the file. It is never changed: a commit that changes it puts
// another one in its place, before the callers of that commit are answered.
type cache struct {
	clients      map[string]*storage.Client // those that operators registered; the others: dynamicclient.go
	dynamic      storage.ClientUsage        // of the other clients
	bulkLogouts  []*bulkLogout              // those under way
	sweepHistory storage.SweepHistory
	sequence     storage.Sequence
}

// auditTail is where the audit trail ends.
type auditTail struct {
	seq  uint64
	hash storage.Hash
}

// reload reads the cache and the end of the audit trail from the file.
func (s *Store) reload() error {
	next := &cache{clients: map[string]*storage.Client{}}
	var tail auditTail
	s.cache.CompareAndSwap(nil, next)
	err := s.view(context.Background(), func(t *tx) error {
		for k, v := range t.scanPrefix(clients, nil) {
			if t.get(dynamicClients, k) != nil {
				continue
			}
			if c, ok := decode[storage.Client](t, clients, v); ok {
				next.clients[string(k)] = &c
			}
		}
		for _, v := range t.scanPrefix(dynamicClients, nil) {
			next.dynamic.Clients++
			next.dynamic.Bytes += parseDynamicClient(v).size
		}
		for k, v := range t.scanPrefix(bulkLogouts, nil) {
			if bulk, ok := decode[bulkLogout](t, bulkLogouts, v); ok && bulk.Finished.IsZero() {
				next.bulkLogouts = append(next.bulkLogouts, bulk.restore(string(k)))
			}
		}
		next.sweepHistory, _ = load[storage.SweepHistory](t, meta, sweepHistoryKey)
		next.sequence = t.sequence()
		if k, v := t.bucket(events).Cursor().Last(); k != nil {
			if e, ok := decode[storage.Event](t, events, v); ok {
				tail = auditTail{seq: e.Seq, hash: e.Hash}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.cache.Store(next)
	s.committer.auditTail = tail
	return nil
}

// changeCache returns a copy of the cache that this transaction may change.
func (t *tx) changeCache() *cache {
	if !t.cacheCloned {
		t.cache = &cache{
			clients:      maps.Clone(t.cache.clients),
			dynamic:      t.cache.dynamic,
			bulkLogouts:  slices.Clone(t.cache.bulkLogouts),
			sweepHistory: t.cache.sweepHistory,
			sequence:     t.cache.sequence,
		}
		t.cacheCloned = true
	}
	return t.cache
}

// cloneClient copies a client, so that the cache shares no slice with a caller.
func cloneClient(c storage.Client) (*storage.Client, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	copied := new(storage.Client)
	return copied, json.Unmarshal(text, copied)
}
