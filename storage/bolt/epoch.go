package bolt

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// epochChunk is how many records one transaction of BeginEpoch changes.
const epochChunk = 500

// BeginEpoch implements storage.Epochs. It also gives the store another ID.
func (s *Store) BeginEpoch(ctx context.Context, at time.Time, e ...storage.Event) error {
	at = truncateToMillis(at)
	err := s.update(ctx, func(t *tx) error {
		first := t.sequence().NextEpoch(at)
		if err := t.bucket(cutoffs).SetSequence(uint64(first)); err != nil {
			return fmt.Errorf("raise the sequence: %w", err)
		}
		t.changeCache().sequence = first
		t.setSweepHistory(t.cache.sweepHistory.BeginEpoch(at, first))
		t.put(meta, storeIDKey, newStoreID())
		t.appendEvents(e)
		return nil
	})
	if err != nil {
		return fmt.Errorf("begin an epoch: %w", err)
	}
	for _, tbl := range []table{oneTimeLinks, linksByUser, initialAccessTokens, consents, consentsByClient} {
		if err := s.forEachChunk(ctx, tbl, func(t *tx, key []byte) { t.delete(tbl, key) }); err != nil {
			return fmt.Errorf("begin an epoch: empty %s: %w", tableNames[tbl], err)
		}
	}
	err = s.forEachChunk(ctx, factors, func(t *tx, subject []byte) {
		f := t.factors(string(subject))
		f.BeginEpoch(at)
		t.putFactors(f)
	})
	if err != nil {
		return fmt.Errorf("begin an epoch: reset factors: %w", err)
	}
	return nil
}

// forEachChunk calls change with each key of a table, many keys in one transaction.
func (s *Store) forEachChunk(ctx context.Context, tbl table, change func(t *tx, key []byte)) error {
	var last []byte
	for {
		chunk, err := write(ctx, s, func(t *tx) (chunk [][]byte, err error) {
			for k := range t.scanAfter(tbl, nil, last) {
				if len(chunk) == epochChunk {
					break
				}
				chunk = append(chunk, bytes.Clone(k))
			}
			for _, k := range chunk {
				change(t, k)
			}
			return chunk, nil
		})
		if err != nil || len(chunk) < epochChunk {
			return err
		}
		last = chunk[len(chunk)-1]
	}
}
