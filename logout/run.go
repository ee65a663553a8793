package logout

import (
	"context"
	"time"

	"github.com/curfew-id/curfew/storage"
)

const (
	// sweepEvery is how often sessions past their deadline are looked for. They are dead by the deadline itself; this is how late
	// their relying parties hear of it, and how long an opaque token may outlive an idle deadline.
	sweepEvery = time.Second
	// cleanEvery is how often records past their time are removed. No read returns them, so it is only about room.
	cleanEvery = time.Minute
	// cleanAtOnce is how many go in one transaction: more would hold up the store's only writer.
	cleanAtOnce = 500
	// behind is how long the oldest due delivery may have waited before the next page of a mass ending is held back, so that single
	// logouts are not told late: the outbox is emptied oldest first.
	behind = 250 * time.Millisecond
	// holdMost is how long a page is held back at most. A relying party that hangs keeps the outbox behind for hours, and those that
	// answer are to be told all the same.
	holdMost = 2 * time.Second
	// holdPause is how soon to look again meanwhile.
	holdPause = 25 * time.Millisecond
)

// Run does what goes on in the background until ctx ends: it goes on with mass endings, unfinished ones of an earlier process
// included, ends sessions that are past their deadline, and lets the store remove what is past its time. It returns between two
// transactions, and only because ctx ended.
func (e *Ender) Run(ctx context.Context) {
	e.signal() // an earlier process may have left a mass ending unfinished
	var sweep, clean, paged, before time.Time
	var overdue, unfinished bool // there are more pages
	for ctx.Err() == nil {
		now := e.Now()
		if now.Round(0).Before(before) { // the clock was put back, and the store has to hear of it
			sweep, clean = time.Time{}, time.Time{}
		}
		before = now.Round(0) // as the clock shows it
		var err error
		held := (overdue || unfinished) && now.Sub(paged) < holdMost && e.outboxBehind(ctx, now)
		if overdue && !held || !overdue && !now.Before(sweep) {
			overdue, err = e.endOverdue(ctx)
			if sweep = now.Add(sweepEvery); overdue {
				paged = now
			}
		}
		if unfinished && !held && err == nil {
			unfinished, err = e.continueEndings(ctx)
			paged = now
		}
		if !now.Before(clean) && err == nil {
			var n int
			clean = now.Add(cleanEvery)
			if n, err = e.Store.Sweep(ctx, now, cleanAtOnce); n >= cleanAtOnce {
				clean = now.Add(holdPause)
			}
		}
		pause := min(sweep.Sub(now), clean.Sub(now))
		switch {
		case err != nil:
			e.complain(ctx, err)
			pause = troublePause
		case held:
			pause = holdPause
		case overdue || unfinished:
			pause = 0
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-e.nudge:
			unfinished = true
		case <-timer.C:
		}
		timer.Stop()
	}
}

// continueEndings ends one page of each unfinished mass ending and says whether there was any.
func (e *Ender) continueEndings(ctx context.Context) (unfinished bool, err error) {
	endings, err := e.Store.ListEndings(ctx)
	if err != nil {
		return true, err
	}
	for _, one := range endings {
		if !one.Finished.IsZero() {
			continue
		}
		unfinished = true
		if _, _, err := e.endPage(ctx, one.Selector, one.Cause, one.At, storage.Change{}); err != nil {
			return true, err
		}
	}
	return unfinished, nil
}

// endOverdue ends a page of what is past its deadline and says whether there is more of it. No mass ending is kept for it, since what
// is past its deadline is dead and is found again.
func (e *Ender) endOverdue(ctx context.Context) (more bool, err error) {
	o, err := e.End(ctx, storage.Selector{Overdue: true}, storage.Cause{Reason: storage.ReasonIdle, By: "system"}, storage.Change{})
	return o.More, err
}

// outboxBehind tells whether deliveries are waiting that should have gone out by now.
func (e *Ender) outboxBehind(ctx context.Context, now time.Time) bool {
	next, err := e.Store.NextDelivery(ctx)
	return err != nil || !next.IsZero() && now.Sub(next) > behind
}

// complain logs what will be tried again; not that ctx ended.
func (e *Ender) complain(ctx context.Context, err error) {
	if ctx.Err() == nil {
		e.log().ErrorContext(ctx, "background work interrupted", "err", err)
	}
}
