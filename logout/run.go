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
	// deep is how many waiting deliveries hold back the next page of a mass ending, so that single logouts are not told late.
	deep = 2000
	// pagePause is how long a page is held back by a deep outbox or a store in trouble before looking again.
	pagePause = 100 * time.Millisecond
)

// Run does what goes on in the background until ctx ends: it goes on with mass endings, unfinished ones of an earlier process
// included, ends sessions that are past their deadline, and lets the store remove what is past its time. It returns between two
// transactions, and only because ctx ended.
func (e *Ender) Run(ctx context.Context) {
	e.signal() // an earlier process may have left a mass ending unfinished
	var sweep, clean time.Time
	unfinished := false
	for ctx.Err() == nil {
		now := e.Now()
		if !now.Before(sweep) {
			e.sweepOverdue(ctx, unfinished)
			sweep = now.Add(sweepEvery)
		}
		if !now.Before(clean) {
			clean = now
			if !e.clean(ctx) {
				clean = now.Add(cleanEvery)
			}
		}
		pause := sweep.Sub(e.Now())
		if unfinished {
			unfinished, pause = e.continueEndings(ctx, pause)
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

// continueEndings ends one page of each unfinished mass ending. It says whether any is left and how long to pause until the next page.
func (e *Ender) continueEndings(ctx context.Context, idle time.Duration) (unfinished bool, pause time.Duration) {
	if e.outboxDeep(ctx) {
		return true, pagePause
	}
	endings, err := e.Store.ListEndings(ctx)
	if err != nil {
		e.complain(ctx, "list endings", err)
		return true, pagePause
	}
	pause = idle
	for _, one := range endings {
		if !one.Finished.IsZero() {
			continue
		}
		unfinished = true
		if _, _, err := e.endPage(ctx, one.Selector, one.Cause, one.At, storage.Change{}); err != nil {
			e.complain(ctx, "continue ending", err)
			return true, pagePause
		}
		pause = 0
	}
	return unfinished, pause
}

// sweepOverdue ends what is past its deadline. After a long time without a sweep that is a mass ending, which goes on page by page, and of
// which one at a time is enough.
func (e *Ender) sweepOverdue(ctx context.Context, unfinished bool) {
	overdue := storage.Selector{Overdue: true}
	count, err := e.Preview(ctx, overdue)
	if err != nil {
		e.complain(ctx, "find overdue sessions", err)
		return
	}
	if count.Sessions == 0 || count.Sessions > e.page() && (unfinished || e.outboxDeep(ctx)) {
		return
	}
	// Each session's report says which of the two it was.
	cause := storage.Cause{Reason: storage.ReasonIdle, By: "system"}
	if _, err := e.End(ctx, overdue, cause, storage.Change{}); err != nil {
		e.complain(ctx, "end overdue sessions", err)
	}
}

// clean removes a chunk of what is past its time and says whether there may be more.
func (e *Ender) clean(ctx context.Context) (more bool) {
	n, err := e.Store.Sweep(ctx, e.Now(), cleanAtOnce)
	if err != nil {
		e.complain(ctx, "sweep store", err)
		return false
	}
	return n >= cleanAtOnce
}

func (e *Ender) outboxDeep(ctx context.Context) bool {
	states, _, err := e.Store.CountDeliveries(ctx)
	if err != nil {
		e.complain(ctx, "count deliveries", err)
		return true
	}
	return states[storage.DeliveryPending] > deep
}

// complain logs what will be tried again; not that ctx ended.
func (e *Ender) complain(ctx context.Context, doing string, err error) {
	if ctx.Err() == nil {
		e.log().ErrorContext(ctx, "background work interrupted", "doing", doing, "err", err)
	}
}
