package bolt

import (
	"context"
	"encoding/binary"
	"slices"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// Attempt implements storage.Attempts. A key's slot is its first two bytes: of keys in one slot the larger counter counts.
func (s *Store) Attempt(ctx context.Context, of []storage.Hash, judge func([]storage.Counter) error) error {
	return s.update(ctx, func(t *tx) error {
		counters := make([]storage.Counter, len(of))
		for i, key := range of {
			counters[i] = readCounter(t.get(attempts, key[:2]))
		}
		before := slices.Clone(counters)
		if err := judge(counters); err != nil {
			return err
		}
		written := map[[2]byte]storage.Counter{}
		for i, key := range of {
			slot := [2]byte(key[:2])
			c := counters[i]
			c.Last = c.Last.UTC().Truncate(time.Second)
			if other, ok := written[slot]; c == before[i] || (ok && other.Count >= c.Count) {
				continue
			}
			written[slot] = c
			if c.Count == 0 {
				t.delete(attempts, key[:2])
				continue
			}
			value := binary.BigEndian.AppendUint32(nil, c.Count)
			t.put(attempts, slices.Clone(key[:2]), binary.BigEndian.AppendUint64(value, uint64(c.Last.Unix())))
		}
		return nil
	})
}

func readCounter(value []byte) storage.Counter {
	if len(value) != 12 {
		return storage.Counter{}
	}
	return storage.Counter{
		Count: binary.BigEndian.Uint32(value),
		Last:  time.Unix(int64(binary.BigEndian.Uint64(value[4:])), 0).UTC(),
	}
}
