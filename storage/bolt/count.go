package bolt

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/curfew-id/curfew/storage"
)

// countPageSize is how many sessions are counted in one read transaction: a long one keeps the file from reusing pages.
const countPageSize = 500

// CountTerminations implements storage.Terminations.
func (s *Store) CountTerminations(ctx context.Context, sel storage.Selection) (storage.TerminationCount, error) {
	sel.At = truncateToMillis(sel.At)
	c := counting{endSessionsTx: newEndSessions(nil, sel)}
	return c.count(ctx, s)
}

// CountBulkLogout implements storage.Terminations. Sessions are removed in the order in which they are counted, so
// where the bulk logout has come further than the count, its own numbers take the place of the count's.
func (s *Store) CountBulkLogout(ctx context.Context, b storage.BulkLogout) (storage.TerminationCount, error) {
	key, err := bulkLogoutKey(b.Selector, b.Cause, b.StartedAt)
	if err != nil {
		return storage.TerminationCount{}, err
	}
	c := counting{endSessionsTx: newEndSessions(nil, storage.Selection{Selector: b.Selector}), bulkKey: key}
	return c.count(ctx, s)
}

// counting is a count on its way.
type counting struct {
	endSessionsTx
	bulkKey string // of the bulk logout that is counted; empty: what a termination would end now
	sum     storage.TerminationCount
}

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
	c.tx, c.terminations, c.more = t, nil, false
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

// catchUp takes the numbers of the bulk logout itself where it has come further than the count.
func (c *counting) catchUp() error {
	bulk, ok := c.findBulkLogout(c.bulkKey)
	if !ok {
		return fmt.Errorf("count bulk logout: %w", storage.ErrNotFound)
	}
	first := c.bulkLogout == nil
	c.bulkLogout, c.Selection, c.cause, c.finished = bulk, bulk.selection, bulk.Cause, !bulk.Finished.IsZero()
	if first || c.finished || bytes.Compare(bulk.Cursor, c.cursor) > 0 {
		c.cursor, c.sum = slices.Clone(bulk.Cursor), bulk.Done
		if !c.finished {
			c.sum.Grants -= bulk.OfflineDone
		}
	}
	return nil
}

// countOfflineGrants counts the offline grants in one transaction, those that the bulk logout has ended already
// included.
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
