package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-id/curfew/storage"
)

// CountTerminations implements storage.Terminations.
func (s *Store) CountTerminations(ctx context.Context, sel storage.Selection) (storage.TerminationCount, error) {
	sel.At = truncate(sel.At)
	return snapshot(ctx, s, func(t *tx) (storage.TerminationCount, error) {
		e := newEndSessions(t, sel)
		e.readUnfinished()
		e.findOfflineUsers()
		return e.count(), nil
	})
}

// CountBulkLogout implements storage.Terminations. One snapshot counts both the removed sessions and those that the
// bulk logout still has to remove.
func (s *Store) CountBulkLogout(ctx context.Context, b storage.BulkLogout) (storage.TerminationCount, error) {
	key, err := bulkLogoutKey(b.Selector, b.Cause, truncate(b.StartedAt))
	if err != nil {
		return storage.TerminationCount{}, err
	}
	return snapshot(ctx, s, func(t *tx) (storage.TerminationCount, error) {
		bulk := t.bulkLogout(key)
		if bulk == nil {
			return storage.TerminationCount{}, fmt.Errorf("count bulk logout: %w", storage.ErrNotFound)
		}
		if !bulk.Finished.IsZero() {
			return bulk.Done, nil
		}
		e := newEndSessions(t, bulk.selection)
		e.cause = bulk.Cause
		e.readUnfinished()
		e.continueBulkLogout(bulk)
		return bulk.Done.Add(e.count()), nil
	})
}

// readUnfinished reads the unfinished bulk logouts.
func (e *endSessionsTx) readUnfinished() {
	e.query(`SELECT record FROM @bulk_logouts WHERE finished IS NULL ORDER BY key`, nil, func(rows pgx.Rows) error {
		var value []byte
		err := rows.Scan(&value)
		e.unfinished = append(e.unfinished, decodeBulkLogout(e.tx, value))
		return err
	})
}

// countChunk is how many terminations are counted at once.
const countChunk = 500

// count counts the sessions, client sessions and grants that a termination would end.
func (e *endSessionsTx) count() (sum storage.TerminationCount) {
	for e.more = true; e.more && e.err == nil; {
		e.terminations, e.more = nil, false
		e.readSessions(countChunk)
		e.completeSessions()
		for _, end := range e.terminations {
			if end.Cause.ID == e.cause.ID {
				sum = sum.Add(storage.CountTermination(end, e.Selection))
			}
		}
	}
	if e.IncludeOffline {
		e.scanOfflineGrants(e.Selection, func(g storage.Grant) bool {
			if e.EndsOfflineGrant(g) && !e.offlineGrantEndedEarlier(g) {
				sum.Grants++
			}
			return true
		})
	}
	return sum
}
