package logout

import (
	"context"
	"time"

	"github.com/curfew-id/curfew/storage"
)

const (
	// expiryInterval is how often Run looks for sessions past their deadline. No read returns such a session; the
	// interval is how late its relying parties are notified, and how long an opaque token may outlive an idle
	// deadline.
	expiryInterval = time.Second
	// cleanupInterval is how often expired records are removed. No read returns them; removal only frees space.
	cleanupInterval = time.Minute
	// cleanupBatch is how many records one transaction removes. More would delay other writes.
	cleanupBatch = 500
	// maxHold is how long the next page of a bulk logout waits at most for the dispatcher. The outbox is emptied
	// oldest first, and pages that come faster than the dispatcher delivers would delay the notifications of single
	// logouts.
	maxHold = 2 * time.Second
	// holdPause is how soon to look again while a page waits.
	holdPause = 25 * time.Millisecond
)

// Run works in the background until ctx ends: it continues bulk logouts, those of an earlier process included, ends
// sessions past their deadline, and lets the store remove expired records. It returns between two transactions.
func (t *Terminator) Run(ctx context.Context) {
	t.signalRun() // an earlier process may have left a bulk logout unfinished
	var nextExpiry, nextCleanup, lastPage time.Time
	clock := &clockWatch{}
	var moreExpired, moreBulk bool // there are more pages
	for ctx.Err() == nil {
		now := t.Now()
		if clock.setBack(now) { // Sweep has to learn of it
			nextExpiry, nextCleanup = time.Time{}, time.Time{}
		}
		var err error
		holdBack := (moreExpired || moreBulk) && now.Sub(lastPage) < maxHold && t.Behind != nil && t.Behind()
		if moreExpired && !holdBack || !moreExpired && !now.Before(nextExpiry) {
			moreExpired, err = t.endExpired(ctx)
			if nextExpiry = now.Add(expiryInterval); moreExpired {
				lastPage = now
			}
		}
		if moreBulk && !holdBack && err == nil {
			moreBulk, err = t.continueBulkLogouts(ctx)
			lastPage = now
		}
		if !now.Before(nextCleanup) && err == nil {
			var n int
			nextCleanup = now.Add(cleanupInterval)
			if n, err = t.Store.Sweep(ctx, now, cleanupBatch); n >= cleanupBatch {
				nextCleanup = now.Add(holdPause)
			}
		}
		pause := min(nextExpiry.Sub(now), nextCleanup.Sub(now))
		switch {
		case err != nil:
			t.logError(ctx, err)
			pause = errorPause
		case holdBack:
			pause = holdPause
		case moreExpired || moreBulk:
			pause = 0
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-t.wakeRun:
			moreBulk = true
		case <-timer.C:
		}
		timer.Stop()
	}
}

// continueBulkLogouts ends one page of each unfinished bulk logout and reports whether there was any.
func (t *Terminator) continueBulkLogouts(ctx context.Context) (moreBulk bool, err error) {
	bulkLogouts, err := t.Store.ListBulkLogouts(ctx)
	if err != nil {
		return true, err
	}
	listedAt := t.Now() // the first commit of each, by which all of it took effect, is visible by now
	for _, bulk := range bulkLogouts {
		if !bulk.Finished.IsZero() {
			continue
		}
		moreBulk = true
		enforcedBy := t.enforcedBy.get(bulk.Cause.ID, listedAt)
		page, err := t.endPage(
			ctx,
			storage.EndRequest{Selector: bulk.Selector, Cause: bulk.Cause},
			bulk.StartedAt,
			enforcedBy,
		)
		if err != nil {
			return true, err
		}
		if !page.more {
			t.enforcedBy.forget(bulk.Cause.ID)
		}
	}
	return moreBulk, nil
}

// endExpired ends a page of sessions past their deadline and reports whether there are more. The store keeps no bulk
// logout for them: after a crash they are found again.
func (t *Terminator) endExpired(ctx context.Context) (more bool, err error) {
	o, err := t.End(
		ctx,
		storage.EndRequest{
			Selector: storage.Selector{Expired: true},
			Cause:    storage.Cause{Reason: storage.ReasonIdle, By: "system"},
		},
	)
	return o.More, err
}

// logError logs an error after which Run tries again, unless ctx has ended.
func (t *Terminator) logError(ctx context.Context, err error) {
	if ctx.Err() == nil {
		t.log().ErrorContext(ctx, "background work interrupted", "err", err)
	}
}
