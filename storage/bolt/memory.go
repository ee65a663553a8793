package bolt

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	"github.com/curfew-id/curfew/storage"
)

// memory is what is kept decoded: it is read without touching the file, never changed, and replaced after the commit
// that changes it, before the callers of that commit are answered.
type memory struct {
	clients map[string]*storage.Client
	masses  []*mass // mass endings under way
	swept   swept
}

// trail is where the audit trail ends.
type trail struct {
	seq  uint64
	hash storage.Hash
}

// reload reads memory and the end of the trail from the file.
func (s *Store) reload() error {
	next := &memory{clients: map[string]*storage.Client{}}
	var end trail
	s.memory.CompareAndSwap(nil, next)
	err := s.view(context.Background(), func(t *tx) error {
		for k, v := range t.prefix(clients, nil) {
			if c, ok := decode[storage.Client](t, clients, v); ok {
				next.clients[string(k)] = &c
			}
		}
		for k, v := range t.prefix(endings, nil) {
			if m, ok := decode[mass](t, endings, v); ok && m.Finished.IsZero() {
				next.masses = append(next.masses, m.prepare(k))
			}
		}
		next.swept, _ = load[swept](t, meta, sweptKey)
		if k, v := t.bucket(events).Cursor().Last(); k != nil {
			if e, ok := decode[storage.Event](t, events, v); ok {
				end = trail{seq: e.Seq, hash: e.Hash}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.memory.Store(next)
	s.trail = end
	return nil
}

// change is this transaction's copy of memory.
func (t *tx) change() *memory {
	if !t.own {
		t.memory = &memory{clients: maps.Clone(t.memory.clients), masses: slices.Clone(t.memory.masses), swept: t.memory.swept}
		t.own = true
	}
	return t.memory
}

// clone copies a client, so that a caller's slices are not shared with memory.
func clone(c storage.Client) (*storage.Client, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	out := new(storage.Client)
	return out, json.Unmarshal(text, out)
}
