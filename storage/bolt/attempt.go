package bolt

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// counterSlot is the key of a counter: the first two bytes of a hash. All hashes with the same first bytes use one
// counter.
type counterSlot [2]byte

// raisedCounter says by how much an attempt raised a counter.
type raisedCounter struct {
	slot counterSlot
	by   uint32
}

// CountAttempt implements storage.Attempts. If two of the keys have the same slot, it stores the larger counter.
func (s *Store) CountAttempt(
	ctx context.Context,
	keyHashes []storage.Hash,
	update func([]storage.Counter) error,
) error {
	count := func(t *tx) ([]raisedCounter, error) { return t.countAttempt(keyHashes, update) }
	_, err := writeOrTakeBack(ctx, s, count, (*tx).takeBackAttempts)
	return err
}

// countAttempt stores the counters that update changes, and returns those that it raised.
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
	storedIndex := map[counterSlot]int{} // for each slot the index of the counter that was stored
	for i, c := range counters {
		c.Last = c.Last.UTC().Truncate(time.Second)
		counters[i] = c
		if c == before[i] {
			continue
		}
		if other, ok := storedIndex[slots[i]]; ok && counters[other].Count >= c.Count {
			continue
		}
		storedIndex[slots[i]] = i
		t.putCounter(slots[i], c)
	}
	var raised []raisedCounter
	for slot, i := range storedIndex {
		if counters[i].Count > before[i].Count {
			raised = append(raised, raisedCounter{slot: slot, by: counters[i].Count - before[i].Count})
		}
	}
	return raised, nil
}

// putCounter stores a counter. A counter that is 0 is deleted.
func (t *tx) putCounter(slot counterSlot, c storage.Counter) {
	if c.Count == 0 {
		t.delete(attemptCounters, slot[:])
		return
	}
	value := binary.BigEndian.AppendUint32(nil, c.Count)
	t.put(attemptCounters, slot[:], binary.BigEndian.AppendUint64(value, uint64(c.Last.Unix())))
}

// readCounter reads the value that putCounter writes. A missing value is the zero counter.
func readCounter(value []byte) storage.Counter {
	const countLength, timeLength = 4, 8
	if len(value) != countLength+timeLength {
		return storage.Counter{}
	}
	return storage.Counter{
		Count: binary.BigEndian.Uint32(value),
		Last:  time.Unix(int64(binary.BigEndian.Uint64(value[countLength:])), 0).UTC(),
	}
}
