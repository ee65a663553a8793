package logout

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// Outbox is what a Dispatcher needs of a store.
type Outbox interface {
	ClaimDeliveries(ctx context.Context, at time.Time, lease time.Duration, max int, busy func(host string, taken int) bool) ([]storage.Delivery, error)
	RecordOutcomes(ctx context.Context, s []storage.DeliveryOutcome) (stale []string, err error)
	RescheduleDeliveries(ctx context.Context, at time.Time) error
	NextDelivery(ctx context.Context) (time.Time, error)
	Delivery(ctx context.Context, id string) (storage.Delivery, error)
	Client(ctx context.Context, id string) (*storage.Client, error)
	RetryDelivery(ctx context.Context, id string, at time.Time, update func(storage.ReportEntry) storage.ReportEntry, e storage.Event) error
	CancelDelivery(ctx context.Context, id string, update func(storage.ReportEntry) storage.ReportEntry, e storage.Event) error
}

const (
	// leaseDuration is how long a claimed delivery is ours: a wait for a slot, an attempt, and the commit of its outcome.
	leaseDuration = 20 * time.Second
	// minLeaseRemaining is what must be left of it to begin an attempt.
	minLeaseRemaining = AttemptTimeout + 3*time.Second
	// hostBusyPause is how soon to look again while the next due delivery is for a host that has no slot.
	hostBusyPause = 200 * time.Millisecond
	// errorPause is how soon to look again after the store refused.
	errorPause = time.Second
)

// Dispatcher brings logout tokens to relying parties. It is used by pointer; Store, Sign, Post, Now and Issuer are needed.
type Dispatcher struct {
	Store    Outbox
	Sign     Signer
	Post     Poster
	Now      func() time.Time
	Issuer   string
	Rand     func() float64 // in [0, 1), for jitter; nil: math/rand
	Log      *slog.Logger   // nil: slog.Default
	Observer Observer

	once sync.Once
	wake chan struct{}
}

// Wake says that deliveries may have become due. It never blocks, and may be called before Run.
func (d *Dispatcher) Wake() {
	d.once.Do(func() { d.wake = make(chan struct{}, 1) })
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// attemptResult is an attempt that ended.
type attemptResult struct {
	host      string
	sent      bool // not given back unsent
	gotAnswer bool
	duration  time.Duration
}

// Run delivers until ctx ends. Then it begins nothing more, waits for what is in flight (at most [AttemptLimit] and a commit),
// gives back what it had only claimed, and returns.
func (d *Dispatcher) Run(ctx context.Context) {
	d.Wake() // what an earlier process left
	queues := newHostQueues()
	finished := make(chan attemptResult, maxInFlight)
	outcomes := make(chan *attemptOutcome, maxClaimed)
	reschedule := make(chan struct{}, 1)
	var recorder sync.WaitGroup
	recorder.Go(func() { d.recordOutcomes(ctx, outcomes, reschedule) })

	// An attempt that has begun is finished and recorded even while we shut down: the relying party may have acted on it.
	attemptCtx := context.WithoutCancel(ctx)
	startAttempt := func(delivery storage.Delivery) {
		go func() {
			started := d.Now()
			o := d.attemptWithinLease(attemptCtx, delivery)
			outcomes <- o
			finished <- attemptResult{host: delivery.Host, sent: !o.notSent, gotAnswer: o.Answer.Status != 0, duration: d.Now().Sub(started)}
		}()
	}
	timer := time.NewTimer(0)
	clock := &clockWatch{}
	claimDue := false
	for ctx.Err() == nil {
		if room := queues.room(); claimDue && room > 0 {
			claimDue = false
			timer.Reset(d.claim(ctx, clock, queues, room))
		}
		queues.start(startAttempt)
		select {
		case <-ctx.Done():
		case <-d.wake:
			claimDue = true
		case <-timer.C:
			claimDue = true
		case <-reschedule:
			timer.Reset(d.nextDue(ctx))
		case result := <-finished:
			claimDue = queues.finish(result) || claimDue
		}
	}
	timer.Stop()
	for _, delivery := range queues.drain() {
		outcomes <- release(delivery, d.Now())
	}
	for ; queues.inFlight > 0; queues.inFlight-- {
		<-finished
	}
	close(outcomes)
	recorder.Wait()
}

// claim leases what is due and has room, and returns when to look again. Deliveries that a clock which was ahead has put off are
// due when they would have been without that.
func (d *Dispatcher) claim(ctx context.Context, clock *clockWatch, queues *hostQueues, room int) time.Duration {
	now := d.Now()
	if clock.setBack(now) {
		if err := d.Store.RescheduleDeliveries(ctx, now); err != nil {
			clock.last = time.Time{} // try again
			d.logError(ctx, "correct due times after the clock was put back", err)
		}
	}
	claimed, err := d.Store.ClaimDeliveries(ctx, now, leaseDuration, room, queues.busy)
	if err != nil {
		d.logError(ctx, "claim deliveries", err)
		return errorPause
	}
	queues.add(claimed, room)
	return d.nextDue(ctx)
}

// nextDue is how long until something is due, and at most leaseDuration: the clock may be put back meanwhile.
func (d *Dispatcher) nextDue(ctx context.Context) time.Duration {
	next, err := d.Store.NextDelivery(ctx)
	switch {
	case err != nil:
		d.logError(ctx, "find next delivery", err)
		return errorPause
	case next.IsZero():
		return leaseDuration // nothing waits; what writes a delivery calls Wake
	}
	if wait := next.Sub(d.Now()); wait > 0 {
		return min(wait, leaseDuration)
	}
	return hostBusyPause
}

// attemptWithinLease makes an attempt unless its lease would run out meanwhile: then somebody else could be telling the same.
func (d *Dispatcher) attemptWithinLease(ctx context.Context, delivery storage.Delivery) *attemptOutcome {
	if now := d.Now(); delivery.LeasedUntil.Sub(now) < minLeaseRemaining {
		return release(delivery, now)
	}
	return d.attempt(ctx, delivery)
}

// release returns a delivery that was claimed and not begun.
func release(delivery storage.Delivery, now time.Time) *attemptOutcome {
	return &attemptOutcome{notSent: true, delivery: delivery, DeliveryOutcome: storage.DeliveryOutcome{
		ID: delivery.ID, Lease: delivery.Lease, State: storage.DeliveryPending, NotSent: true, NextAttempt: now, Refusals: delivery.Refusals, Answer: delivery.Answer,
		UpdateEntry: func(entry storage.ReportEntry) storage.ReportEntry { return entry },
	}}
}

func (d *Dispatcher) random() float64 {
	if d.Rand != nil {
		return d.Rand()
	}
	return rand.Float64()
}

func (d *Dispatcher) log() *slog.Logger {
	if d.Log == nil {
		return slog.Default()
	}
	return d.Log
}

// logError logs what will be tried again; not that ctx ended.
func (d *Dispatcher) logError(ctx context.Context, action string, err error) {
	if ctx.Err() == nil {
		d.log().ErrorContext(ctx, "delivery interrupted", "doing", action, "err", err)
	}
}
