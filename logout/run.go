package logout

import (
	"context"
	"time"

	"github.com/curfew-id/curfew/storage"
)

const (
	// expiryInterval is how often Run ends sessions that have expired. The store returns no such session, but until
	// Run ends it, its relying parties are not notified, and an opaque token may outlive an idle timeout.
	expiryInterval = time.Second
	// cleanupInterval is how often Run lets the store remove expired records. The store returns no such record; removal
	// only frees space.
	cleanupInterval = time.Minute
	// cleanupBatch is how many records one transaction removes. More would delay other writes.
	cleanupBatch = 500
	// bulkInterval is how often Run looks for bulk logouts that another replica began and no longer continues.
	bulkInterval = 5 * time.Second
	// maxHold is the longest time for which the next page of a bulk logout waits for the dispatcher. The dispatcher
	// delivers the oldest notifications first: if pages came faster than it delivers, the notifications of single
	// logouts would be delayed.
	maxHold = 2 * time.Second
	// holdPause is the pause before Run checks again whether a page must still wait.
	holdPause = 25 * time.Millisecond
)

// Run works in the background until ctx ends. It continues bulk logouts, including those that an earlier process or
// another replica began, ends sessions that have expired, and lets the store remove expired records. After the end of
// ctx it finishes the present transaction.
func (t *Terminator) Run(ctx context.Context) {
	t.signalRun() // an earlier process may have left a bulk logout unfinished
	w := backgroundWork{Terminator: t}
	clock := &storage.ClockWatch{}
	for ctx.Err() == nil {
		now := t.Now()
		if clock.SetBack(now) { // run everything now: Sweep must record the setback in SweepHistory
			w.nextExpiry = time.Time{}
			w.nextCleanup = time.Time{}
			w.nextBulk = time.Time{}
		}
		timer := time.NewTimer(w.runOnce(ctx, now))
		select {
		case <-ctx.Done():
		case <-t.wakeRun:
			w.moreBulk = true
		case <-timer.C:
		}
		timer.Stop()
	}
}

// backgroundWork is the state of Run.
type backgroundWork struct {
	*Terminator
	nextExpiry  time.Time // when to end expired sessions
	nextCleanup time.Time // when to let the store remove records
	nextBulk    time.Time // when to look for bulk logouts of other replicas
	lastPage    time.Time // when a page was ended last
	moreExpired bool      // more expired sessions wait than one page
	moreBulk    bool      // a bulk logout may have more pages
}

// runOnce does the work that is due, and returns the pause until the next call.
func (w *backgroundWork) runOnce(ctx context.Context, now time.Time) (pause time.Duration) {
	var err error
	holdBack := w.holdsBack(now)
	expiryDue := !now.Before(w.nextExpiry)
	if w.moreExpired {
		expiryDue = !holdBack
	}
	if expiryDue {
		w.moreExpired, err = w.endExpired(ctx)
		w.nextExpiry = now.Add(expiryInterval)
		if w.moreExpired {
			w.lastPage = now
		}
	}
	if !now.Before(w.nextBulk) {
		w.moreBulk = true
		w.nextBulk = now.Add(bulkInterval)
	}
	if w.moreBulk && !holdBack && err == nil {
		w.moreBulk, err = w.continueBulkLogouts(ctx)
		w.lastPage = now
	}
	if !now.Before(w.nextCleanup) && err == nil {
		var removed int
		removed, err = w.Store.Sweep(ctx, now, cleanupBatch)
		w.nextCleanup = now.Add(cleanupInterval)
		if removed >= cleanupBatch { // there may be more
			w.nextCleanup = now.Add(holdPause)
		}
	}
	switch {
	case err != nil:
		w.logError(ctx, err)
		return errorPause
	case holdBack:
		return holdPause
	case w.moreExpired || w.moreBulk:
		return 0
	default:
		return min(w.nextExpiry.Sub(now), w.nextCleanup.Sub(now))
	}
}

// holdsBack reports whether the next page must wait, because the dispatcher has not caught up with the last one.
func (w *backgroundWork) holdsBack(now time.Time) bool {
	hasPage := w.moreExpired || w.moreBulk
	heldTooLong := now.Sub(w.lastPage) >= maxHold
	return hasPage && !heldTooLong && w.Behind != nil && w.Behind()
}

// continueBulkLogouts ends one page of each unfinished bulk logout. moreBulk reports whether there was any.
func (t *Terminator) continueBulkLogouts(ctx context.Context) (moreBulk bool, err error) {
	bulkLogouts, err := t.Store.ListBulkLogouts(ctx)
	if err != nil {
		return true, err
	}
	listedAt := t.Now() // all listed bulk logouts have taken effect by now
	for _, bulk := range bulkLogouts {
		if !bulk.Finished.IsZero() {
			continue
		}
		moreBulk = true
		enforcedBy := t.enforcedBy.get(bulk.Cause.ID, listedAt)
		req := storage.EndRequest{Selector: bulk.Selector, Cause: bulk.Cause}
		page, err := t.endPage(ctx, req, bulk.StartedAt, t.pageSize(), enforcedBy)
		if err != nil {
			return true, err
		}
		if !page.more {
			t.enforcedBy.forget(bulk.Cause.ID)
		}
	}
	return moreBulk, nil
}

// endExpired ends a page of expired sessions and reports whether there are more. The store keeps no BulkLogout for
// them, because the next call finds the remaining ones anyway, even after a crash.
func (t *Terminator) endExpired(ctx context.Context) (more bool, err error) {
	result, err := t.End(ctx, storage.EndRequest{
		Selector: storage.Selector{Expired: true},
		Cause:    storage.Cause{Reason: storage.ReasonIdle, By: "system"},
	})
	return result.More, err
}

// logError logs an error after which Run tries again, unless ctx has ended.
func (t *Terminator) logError(ctx context.Context, err error) {
	if ctx.Err() == nil {
		t.log().ErrorContext(ctx, "background work interrupted", "err", err)
	}
}
