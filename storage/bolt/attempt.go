package bolt

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// counterSlot is the key of a counter: the first two bytes of the hashes that share it.
type counterSlot [2]byte

// raisedCounter says by how much a counter was raised.
type raisedCounter struct {
	slot counterSlot
	by   uint32
}

// CountAttempt implements storage.Attempts. If two of the keys share a slot, the larger counter is stored.
func (s *Store) CountAttempt(
	ctx context.Context,
	keyHashes []storage.Hash,
	update func([]storage.Counter) error,
) error {
	_, err := writeOrTakeBack(ctx, s, func(t *tx) ([]raisedCounter, error) {
		return t.countAttempt(keyHashes, update)
	}, (*tx).takeBackAttempts)
	return err
}

// countAttempt stores the counters that update changes.
func (t *tx) countAttempt(keyHashes []storage.Hash, update func([]storage.Counter) error) ([]raisedCounter, error) {
	slots := make([]counterSlot, len(keyHashes))
	before := make([]storage.Counter, len(keyHashes))
	counters := make([]storage.Counter, len(keyHashes))
	for i, hash := range keyHashes {
		slots[i] = counterSlot(hash[:2])
		before[i] = readCounter(t.get(attemptCounters, slots[i][:]))
		counters[i] = before[i]
	}
	if err := update(counters); err != nil {
		return nil, err
	}
	stored := map[counterSlot]int{} // the index of the counter that was stored
	var raised []raisedCounter
	for i, c := range counters {
		c.Last = c.Last.UTC().Truncate(time.Second)
		counters[i] = c
		if c == before[i] {
			continue
		}
		if other, ok := stored[slots[i]]; ok && counters[other].Count >= c.Count {
			continue
		}
		stored[slots[i]] = i
		t.putCounter(slots[i], c)
	}
	for slot, i := range stored {
		if counters[i].Count > before[i].Count {
			raised = append(raised, raisedCounter{slot: slot, by: counters[i].Count - before[i].Count})
		}
	}
	return raised, nil
}

// putCounter stores a counter; one that is 0 needs no place.
func (t *tx) putCounter(slot counterSlot, c storage.Counter) {
	if c.Count == 0 {
		t.delete(attemptCounters, slot[:])
		return
	}
	value := binary.BigEndian.AppendUint32(nil, c.Count)
	t.put(attemptCounters, slot[:], binary.BigEndian.AppendUint64(value, uint64(c.Last.Unix())))
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
