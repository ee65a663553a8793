package bolt

import (
	"context"
	"encoding/binary"
	"slices"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// CountAttempt implements storage.Attempts. A key's slot is its first two bytes: of keys in one slot the larger counter counts.
func (s *Store) CountAttempt(ctx context.Context, keyHashes []storage.Hash, update func([]storage.Counter) error) error {
	return s.update(ctx, func(t *tx) error {
		counters := make([]storage.Counter, len(keyHashes))
		for i, key := range keyHashes {
			counters[i] = readCounter(t.get(attemptCounters, key[:2]))
		}
		previous := slices.Clone(counters)
		if err := update(counters); err != nil {
			return err
		}
		written := map[[2]byte]storage.Counter{}
		for i, key := range keyHashes {
			slot := [2]byte(key[:2])
			c := counters[i]
			c.Last = c.Last.UTC().Truncate(time.Second)
			if other, ok := written[slot]; c == previous[i] || (ok && other.Count >= c.Count) {
				continue
			}
			written[slot] = c
			if c.Count == 0 {
				t.delete(attemptCounters, key[:2])
				continue
			}
			value := binary.BigEndian.AppendUint32(nil, c.Count)
			t.put(attemptCounters, slices.Clone(key[:2]), binary.BigEndian.AppendUint64(value, uint64(c.Last.Unix())))
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
