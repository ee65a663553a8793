package bolt

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/curfew-id/curfew/storage"
)

// countPageSize is how many sessions one read transaction counts. A long transaction would keep bbolt from reusing
// pages.
const countPageSize = 500

// CountTerminations implements storage.Terminations.
func (s *Store) CountTerminations(ctx context.Context, sel storage.Selection) (storage.TerminationCount, error) {
	sel.At = truncateToMillis(sel.At)
	c := counting{endSessionsTx: newEndSessions(nil, sel)}
	return c.count(ctx, s)
}

// CountBulkLogout implements storage.Terminations. The bulk logout removes sessions in the same order in which the
// count reads them. When it has overtaken the count, the count continues from its numbers (catchUp).
func (s *Store) CountBulkLogout(ctx context.Context, b storage.BulkLogout) (storage.TerminationCount, error) {
	key, err := bulkLogoutKey(b.Selector, b.Cause, b.StartedAt)
	if err != nil {
		return storage.TerminationCount{}, err
	}
	c := counting{endSessionsTx: newEndSessions(nil, storage.Selection{Selector: b.Selector}), bulkKey: key}
	return c.count(ctx, s)
}

// counting is the state of one count. It runs through several read transactions.
type counting struct {
	endSessionsTx
	bulkKey string // key of the bulk logout that is counted; empty: the dry run of a termination
	sum     storage.TerminationCount
}

// count counts sessions page by page, and then the offline grants.
func (c *counting) count(ctx context.Context, s *Store) (storage.TerminationCount, error) {
	for more := true; more; {
		err := s.view(ctx, func(t *tx) error {
			var err error
			more, err = c.countSessions(t)
			return err
		})
		if err != nil {
			return storage.TerminationCount{}, err
		}
	}
	if c.finished || !c.IncludeOffline {
		return c.sum, nil
	}
	err := s.view(ctx, func(t *tx) error { return c.countOfflineGrants(t) })
	if err != nil {
		return storage.TerminationCount{}, err
	}
	return c.sum, nil
}

// countSessions counts a page of sessions and reports whether there are more.
func (c *counting) countSessions(t *tx) (more bool, err error) {
	c.tx = t
	c.terminations = nil
	c.more = false
	if c.bulkKey == "" {
		c.findOfflineUsers()
	} else if err := c.catchUp(); err != nil || c.finished {
		return false, err
	}
	c.readSessions(countPageSize)
	for _, end := range c.terminations {
		if end.Cause.ID == c.cause.ID {
			c.sum = c.sum.Add(storage.CountTermination(end, c.Selection))
		}
	}
	return c.more, nil
}

// catchUp continues from the numbers of the bulk logout if it has come further than the count.
func (c *counting) catchUp() error {
	bulk, ok := c.findBulkLogout(c.bulkKey)
	if !ok {
		return fmt.Errorf("count bulk logout: %w", storage.ErrNotFound)
	}
	isFirstPage := c.bulkLogout == nil
	c.bulkLogout = bulk
	c.Selection = bulk.selection
	c.cause = bulk.Cause
	c.finished = !bulk.Finished.IsZero()
	if isFirstPage || c.finished || bytes.Compare(bulk.Cursor, c.cursor) > 0 {
		c.cursor = slices.Clone(bulk.Cursor)
		c.sum = bulk.Done
		if !c.finished {
			c.sum.Grants -= bulk.OfflineDone // countOfflineGrants adds them
		}
	}
	return nil
}

// countOfflineGrants counts the offline grants in one transaction, including those that the bulk logout has already
// ended.
func (c *counting) countOfflineGrants(t *tx) error {
	c.tx = t
	if c.bulkKey != "" {
		bulk, ok := c.findBulkLogout(c.bulkKey)
		if !ok {
			return fmt.Errorf("count bulk logout: %w", storage.ErrNotFound)
		}
		c.sum.Grants += bulk.OfflineDone
	}
	for _, g := range c.offlineGrantCandidates(c.Selection, nil) {
		if c.EndsOfflineGrant(g) && !c.offlineGrantEndedEarlier(g) {
			c.sum.Grants++
		}
	}
	return nil
}
