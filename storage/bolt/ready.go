package bolt

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/curfew-id/curfew/storage"
)

// readyRoom is how many bytes Ready writes after a commit that found no room. A small write would not show whether
// there is room again: bbolt often finds a single free page for it.
const readyRoom = 64 << 10

// Ready implements storage.Store.
func (s *Store) Ready(ctx context.Context) error {
	n, err := write(ctx, s, func(t *tx) (uint64, error) {
		n := uint64(1)
		if v := t.get(meta, readyKey); len(v) >= 8 {
			n += binary.BigEndian.Uint64(v)
		}
		record := sequenceKey(n)
		if s.outOfSpace.Load() {
			record = append(record, make([]byte, readyRoom)...)
		}
		t.put(meta, readyKey, record)
		return n, nil
	})
	if err != nil {
		return fmt.Errorf("readiness: %w", err)
	}
	s.outOfSpace.Store(false)
	return s.view(ctx, func(t *tx) error {
		if v := t.get(meta, readyKey); len(v) < 8 || binary.BigEndian.Uint64(v) < n {
			return fmt.Errorf("readiness: %w: the test record that was written is missing", storage.ErrUnavailable)
		}
		return nil
	})
}

var readyKey = []byte("ready")
