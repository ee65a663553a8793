package logout

import (
	"cmp"
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// Outbox is the part of a store that a Dispatcher uses.
type Outbox interface {
	ClaimDeliveries(
		ctx context.Context,
		at time.Time,
		lease time.Duration,
		max int,
		newFilter func() storage.ClaimFilter,
	) ([]storage.Delivery, error)
	RecordOutcomes(ctx context.Context, outcomes []storage.DeliveryOutcome) (stale []string, err error)
	RescheduleDeliveries(ctx context.Context, at time.Time) error
	NextDelivery(ctx context.Context) (time.Time, error)
	ListHostHealth(ctx context.Context) ([]storage.HostHealth, error)
	Delivery(ctx context.Context, id string) (storage.Delivery, error)
	Client(ctx context.Context, id string) (*storage.Client, error)
	Report(ctx context.Context, id string) (storage.Report, error)
	ListSessions(
		ctx context.Context,
		sel storage.Selector,
		at time.Time,
		p storage.Page,
	) (sessions []storage.Session, next string, err error)
	RetryDelivery(
		ctx context.Context,
		id string,
		at time.Time,
		update func(storage.ReportEntry) storage.ReportEntry,
		e storage.Event,
	) error
	CancelDelivery(
		ctx context.Context,
		id string,
		update func(storage.ReportEntry) storage.ReportEntry,
		e storage.Event,
	) error
}

const (
	// leaseDuration is how long a claim lasts. It covers the wait for a slot, the attempt, and the commit of its
	// outcome.
	leaseDuration = 20 * time.Second
	// minLeaseRemaining is the part of the lease that must remain when an attempt begins.
	minLeaseRemaining = AttemptTimeout + 3*time.Second
	// hostBusyPause is the time until the next claim if a delivery is due but its host has no free slot.
	hostBusyPause = 200 * time.Millisecond
	// errorPause is the time until the next claim after an error of the store.
	errorPause = time.Second
)

// Dispatcher delivers logout tokens to relying parties. Use it by pointer. Store, Sign, Post, Now and Issuer are
// required.
type Dispatcher struct {
	Store    Outbox
	Sign     Signer
	Post     Poster
	Now      func() time.Time
	Issuer   string
	Rand     func() float64 // in [0, 1), for jitter; nil: math/rand
	Log      *slog.Logger   // nil: slog.Default
	Observer Observer

	once         sync.Once                    // creates wake
	wake         chan struct{}                // see Wake
	behind       atomic.Bool                  // see Behind
	unknownHosts atomic.Pointer[UnknownHosts] // see UnknownHosts
}

// Behind reports whether deliveries to quick hosts may be due that the Dispatcher has not claimed yet. A bulk logout
// waits until it is not behind before it adds more deliveries.
func (d *Dispatcher) Behind() bool { return d.behind.Load() }

// Wake notifies Run that deliveries may have become due. It never blocks, and may be called before Run.
func (d *Dispatcher) Wake() {
	d.behind.Store(true)
	d.once.Do(func() { d.wake = make(chan struct{}, 1) })
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// attemptResult is the result of an attempt for the queues.
type attemptResult struct {
	running   *runningAttempt
	sent      bool // false: the attempt did not begin, because too little of the lease remained
	gotAnswer bool // the host sent an HTTP response
	duration  time.Duration
}

// Run delivers until ctx ends. Then it begins no more attempts, waits for those in flight (at most [AttemptTimeout]
// and a commit), releases the other claims, and returns.
func (d *Dispatcher) Run(ctx context.Context) {
	d.Wake() // an earlier process may have left deliveries
	knownHosts, err := d.Store.ListHostHealth(ctx)
	if err != nil {
		d.logError(ctx, "list the health of hosts", err) // go on: the speed of every host counts as unknown
	}
	queues := newHostQueues(knownHosts)
	finished := make(chan attemptResult, maxInFlight)
	outcomes := make(chan *attemptOutcome, maxClaimed)
	reschedule := make(chan struct{}, 1)
	var recorder sync.WaitGroup
	recorder.Go(func() {
		d.recordOutcomes(ctx, outcomes, newHostRecorder(knownHosts), reschedule)
	})

	// An attempt that has begun is finished and recorded even during shutdown: the relying party may have acted on it.
	attemptCtx := context.WithoutCancel(ctx)
	startAttempt := func(delivery storage.Delivery, running *runningAttempt) {
		wait := running.startedAt.Sub(delivery.NextAttempt)
		d.Observer.attemptStart(running.queue.class(), wait)
		queues.unknownHostStats.noteAttempt(running.queue.speed, wait)
		go func() {
			outcome := d.attemptWithinLease(attemptCtx, delivery)
			outcome.duration = d.Now().Sub(running.startedAt)
			outcomes <- outcome
			finished <- attemptResult{
				running:   running,
				sent:      !outcome.notSent,
				gotAnswer: outcome.Answer.Status != 0,
				duration:  outcome.duration,
			}
		}()
	}
	claimTimer := time.NewTimer(0)               // fires when a delivery becomes due
	overdueTimer := time.NewTimer(slowThreshold) // fires when an attempt has taken slowThreshold
	clock := &storage.ClockWatch{}
	claimDue := false
	for ctx.Err() == nil {
		if room := queues.room(); claimDue && room > 0 {
			claimDue = false
			untilNextClaim := d.claim(ctx, clock, queues, room)
			claimTimer.Reset(untilNextClaim)
		}
		now := d.Now()
		queues.demoteOverdue(now) // frees slots of quick hosts for the attempts that start now
		queues.start(now, startAttempt)
		if untilOverdue, ok := queues.demoteOverdue(now); ok {
			overdueTimer.Reset(untilOverdue)
		}
		d.behind.Store(queues.behind() || claimDue)
		d.publishUnknownHosts(queues)
		select {
		case <-ctx.Done():
		case <-d.wake:
			claimDue = true
		case <-claimTimer.C:
			claimDue = true
		case <-overdueTimer.C: // the next round calls demoteOverdue
		case <-reschedule:
			claimTimer.Reset(cmp.Or(d.nextDue(ctx), hostBusyPause))
		case result := <-finished:
			if queues.finish(result) {
				claimDue = true
			}
		}
	}
	claimTimer.Stop()
	overdueTimer.Stop()
	for _, delivery := range queues.drain() {
		outcomes <- release(delivery, d.Now())
	}
	for range queues.totalInFlight() {
		<-finished
	}
	close(outcomes)
	recorder.Wait()
}

// claim leases at most room due deliveries and adds them to the queues. It returns the time until the next claim. If
// the clock was set back, claim first corrects the due times that were set while the clock was ahead.
func (d *Dispatcher) claim(ctx context.Context, clock *storage.ClockWatch, queues *hostQueues, room int) time.Duration {
	now := d.Now()
	if clock.SetBack(now) {
		if err := d.Store.RescheduleDeliveries(ctx, now); err != nil {
			clock.Forget() // the next claim tries again
			d.logError(ctx, "correct due times after the clock was put back", err)
		}
	}
	if pause := d.nextDue(ctx); pause > 0 {
		return pause
	}
	claimed, err := d.Store.ClaimDeliveries(ctx, now, leaseDuration, room, queues.newClaimFilter)
	if err != nil {
		d.logError(ctx, "claim deliveries", err)
		return errorPause
	}
	queues.add(claimed, room)
	if pause := d.nextDue(ctx); pause > 0 {
		return pause
	}
	return hostBusyPause // a delivery is due but was not claimed: its host has no free slot
}

// nextDue returns the time until the next claim: until a delivery is due, but at most leaseDuration, because the
// clock may be set back meanwhile. It returns 0 if a delivery is due now.
func (d *Dispatcher) nextDue(ctx context.Context) time.Duration {
	next, err := d.Store.NextDelivery(ctx)
	switch {
	case err != nil:
		d.logError(ctx, "find next delivery", err)
		return errorPause
	case next.IsZero():
		return leaseDuration // no delivery is pending; Wake comes with the next one
	}
	return max(0, min(next.Sub(d.Now()), leaseDuration))
}

// attemptWithinLease makes an attempt if enough of the lease remains. Otherwise it releases the delivery, because
// another process could claim it when the lease ends, and send the same notification.
func (d *Dispatcher) attemptWithinLease(ctx context.Context, delivery storage.Delivery) *attemptOutcome {
	if now := d.Now(); delivery.LeasedUntil.Sub(now) < minLeaseRemaining {
		return release(delivery, now)
	}
	return d.attempt(ctx, delivery)
}

// release returns the outcome that ends a claim without an attempt: the delivery stays pending and is due now.
func release(delivery storage.Delivery, now time.Time) *attemptOutcome {
	keepEntry := func(entry storage.ReportEntry) storage.ReportEntry { return entry }
	return &attemptOutcome{
		notSent:  true,
		delivery: delivery,
		DeliveryOutcome: storage.DeliveryOutcome{
			ID:          delivery.ID,
			Lease:       delivery.Lease,
			State:       storage.DeliveryPending,
			NotSent:     true,
			NextAttempt: now,
			Refusals:    delivery.Refusals,
			Answer:      delivery.Answer,
			UpdateEntry: keepEntry,
		},
	}
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

// logError logs an error after which Run tries again, unless ctx has ended.
func (d *Dispatcher) logError(ctx context.Context, action string, err error) {
	if ctx.Err() == nil {
		d.log().ErrorContext(ctx, "deliveries delayed by an error", "action", action, "err", err)
	}
}
