package postgres

import (
	"context"
	"encoding/binary"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-id/curfew/storage"
)

// CountAttempt implements storage.Attempts. Keys whose hashes begin with the same two bytes have one counter. If two of
// keyHashes have the same counter, the larger value is stored.
func (s *Store) CountAttempt(
	ctx context.Context,
	keyHashes []storage.Hash,
	decide func([]storage.Counter) error,
) error {
	return s.update(ctx, func(t *tx) error {
		slots := make([]int32, len(keyHashes))
		for i, hash := range keyHashes {
			slots[i] = int32(binary.BigEndian.Uint16(hash[:]))
		}
		stored := t.lockCounters(slots)
		counters := make([]storage.Counter, len(slots))
		for i, slot := range slots {
			counters[i] = stored[slot]
		}
		if err := decide(counters); err != nil {
			return err
		}
		changed := map[int32]storage.Counter{}
		for i, c := range counters {
			c.Last = c.Last.UTC().Truncate(time.Second)
			if c == stored[slots[i]] {
				continue
			}
			if other, ok := changed[slots[i]]; !ok || other.Count < c.Count {
				changed[slots[i]] = c
			}
		}
		for slot, c := range changed {
			t.exec(
				`UPDATE @attempt_counters SET count = $2, last = $3 WHERE slot = $1`,
				slot, int64(c.Count), c.Last.Unix(),
			)
		}
		return nil
	})
}

// lockCounters locks and reads counters. It creates missing ones.
func (t *tx) lockCounters(slots []int32) map[int32]storage.Counter {
	slots = slices.Clone(slots)
	slices.Sort(slots)
	slots = slices.Compact(slots)
	stored := map[int32]storage.Counter{}
	t.lock(
		`INSERT INTO @attempt_counters (slot, count, last) SELECT n, 0, 0 FROM unnest($1::integer[]) AS n ORDER BY n
		ON CONFLICT DO NOTHING`,
		slots,
	)
	t.query(
		`SELECT slot, count, last FROM @attempt_counters WHERE slot = ANY($1) ORDER BY slot FOR UPDATE`,
		[]any{slots},
		func(rows pgx.Rows) error {
			var slot int32
			var count, last int64
			err := rows.Scan(&slot, &count, &last)
			counter := storage.Counter{}
			if count > 0 {
				counter = storage.Counter{Count: uint32(count), Last: time.Unix(last, 0).UTC()}
			}
			stored[slot] = counter
			return err
		},
	)
	return stored
}
