package bolt

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	"github.com/curfew-id/curfew/storage"
)

// cache contains decoded records, so that reads of them need no access to the file. A cache is immutable: a commit that
// changes these records replaces the cache by a changed copy, before it answers its callers.
type cache struct {
	clients      map[string]*storage.Client // that operators registered; for the others see dynamicclient.go
	dynamic      storage.ClientUsage        // of the dynamic clients
	bulkLogouts  []*bulkLogout              // that are under way
	sweepHistory storage.SweepHistory
	sequence     storage.Sequence
}

// auditTail identifies the last line of the audit trail.
type auditTail struct {
	seq  uint64
	hash storage.Hash
}

// reload reads the cache and the last line of the audit trail from the file.
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

// cloneClient returns a deep copy of a client, so that a caller cannot change slices in the cache.
func cloneClient(c storage.Client) (*storage.Client, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	copied := new(storage.Client)
	return copied, json.Unmarshal(text, copied)
}
