package logout

import (
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
	ClaimDeliveries(ctx context.Context, at time.Time, lease time.Duration, max int, busy func(host string, taken int) bool) ([]storage.Delivery, error)
	RecordOutcomes(ctx context.Context, s []storage.DeliveryOutcome) (stale []string, err error)
	RescheduleDeliveries(ctx context.Context, at time.Time) error
	NextDelivery(ctx context.Context) (time.Time, error)
	ListHostHealth(ctx context.Context) ([]storage.HostHealth, error)
	Delivery(ctx context.Context, id string) (storage.Delivery, error)
	Client(ctx context.Context, id string) (*storage.Client, error)
	RetryDelivery(ctx context.Context, id string, at time.Time, update func(storage.ReportEntry) storage.ReportEntry, e storage.Event) error
	CancelDelivery(ctx context.Context, id string, update func(storage.ReportEntry) storage.ReportEntry, e storage.Event) error
}

const (
	// leaseDuration is how long a claim lasts: a wait for a slot, an attempt, and the commit of its outcome.
	leaseDuration = 20 * time.Second
	// minLeaseRemaining is how much of the lease must remain to begin an attempt.
	minLeaseRemaining = AttemptTimeout + 3*time.Second
	// hostBusyPause is how soon to look again while the next due delivery is for a host that has no slot.
	hostBusyPause = 200 * time.Millisecond
	// errorPause is how soon to look again after an error of the store.
	errorPause = time.Second
)

// Dispatcher delivers logout tokens to relying parties. Use it by pointer. Store, Sign, Post, Now and Issuer are required.
type Dispatcher struct {
	Store    Outbox
	Sign     Signer
	Post     Poster
	Now      func() time.Time
	Issuer   string
	Rand     func() float64 // in [0, 1), for jitter; nil: math/rand
	Log      *slog.Logger   // nil: slog.Default
	Observer Observer

	once   sync.Once
	wake   chan struct{}
	behind atomic.Bool
}

// Behind reports whether deliveries may be due that quick hosts could take, and that are not claimed yet. A bulk logout waits for them before
// it adds more.
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

// attemptResult is the end of an attempt.
type attemptResult struct {
	running   *runningAttempt
	sent      bool // false: the lease was too short to begin
	gotAnswer bool
	duration  time.Duration
}

// Run delivers until ctx ends. Then it begins no more attempts, waits for those in flight (at most [AttemptTimeout] and a commit), releases
// the other claims, and returns.
func (d *Dispatcher) Run(ctx context.Context) {
	d.Wake() // an earlier process may have left deliveries
	known, err := d.Store.ListHostHealth(ctx)
	if err != nil {
		d.logError(ctx, "list the health of hosts", err) // all hosts count as unknown then
	}
	queues := newHostQueues(known)
	finished := make(chan attemptResult, maxInFlight)
	outcomes := make(chan *attemptOutcome, maxClaimed)
	reschedule := make(chan struct{}, 1)
	var recorder sync.WaitGroup
	recorder.Go(func() { d.recordOutcomes(ctx, outcomes, newHostRecorder(known), reschedule) })

	// An attempt that has begun is finished and recorded even during shutdown: the relying party may have acted on it.
	attemptCtx := context.WithoutCancel(ctx)
	startAttempt := func(delivery storage.Delivery, running *runningAttempt) {
		d.Observer.attemptStart(running.queue.class(), running.startedAt.Sub(delivery.NextAttempt))
		go func() {
			o := d.attemptWithinLease(attemptCtx, delivery)
			o.duration = d.Now().Sub(running.startedAt)
			outcomes <- o
			finished <- attemptResult{running: running, sent: !o.notSent, gotAnswer: o.Answer.Status != 0, duration: o.duration}
		}()
	}
	timer, overdue := time.NewTimer(0), time.NewTimer(slowThreshold)
	clock := &clockWatch{}
	claimDue := false
	for ctx.Err() == nil {
		if room := queues.room(); claimDue && room > 0 {
			claimDue = false
			timer.Reset(d.claim(ctx, clock, queues, room))
		}
		now := d.Now()
		queues.demoteOverdue(now)
		queues.start(now, startAttempt)
		if next, ok := queues.demoteOverdue(now); ok {
			overdue.Reset(next)
		}
		d.behind.Store(queues.behind() || claimDue)
		select {
		case <-ctx.Done():
		case <-d.wake:
			claimDue = true
		case <-timer.C:
			claimDue = true
		case <-overdue.C:
		case <-reschedule:
			timer.Reset(d.nextDue(ctx))
		case result := <-finished:
			claimDue = queues.finish(result) || claimDue
		}
	}
	timer.Stop()
	overdue.Stop()
	for _, delivery := range queues.drain() {
		outcomes <- release(delivery, d.Now())
	}
	for range queues.totalInFlight() {
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
	claimed, err := d.Store.ClaimDeliveries(ctx, now, leaseDuration, room, queues.busy())
	if err != nil {
		d.logError(ctx, "claim deliveries", err)
		return errorPause
	}
	queues.add(claimed, room)
	return d.nextDue(ctx)
}

// nextDue returns how long it is until a delivery is due, and at most leaseDuration: the clock may be put back meanwhile.
func (d *Dispatcher) nextDue(ctx context.Context) time.Duration {
	next, err := d.Store.NextDelivery(ctx)
	switch {
	case err != nil:
		d.logError(ctx, "find next delivery", err)
		return errorPause
	case next.IsZero():
		return leaseDuration // no delivery is pending; Wake comes with the next one
	}
	if wait := next.Sub(d.Now()); wait > 0 {
		return min(wait, leaseDuration)
	}
	return hostBusyPause
}

// attemptWithinLease makes an attempt unless its lease would run out meanwhile, since another claim could then send the same notification.
func (d *Dispatcher) attemptWithinLease(ctx context.Context, delivery storage.Delivery) *attemptOutcome {
	if now := d.Now(); delivery.LeasedUntil.Sub(now) < minLeaseRemaining {
		return release(delivery, now)
	}
	return d.attempt(ctx, delivery)
}

// release is the outcome of a delivery that was claimed and not sent.
func release(delivery storage.Delivery, now time.Time) *attemptOutcome {
	return &attemptOutcome{notSent: true, delivery: delivery, DeliveryOutcome: storage.DeliveryOutcome{
		ID:          delivery.ID,
		Lease:       delivery.Lease,
		State:       storage.DeliveryPending,
		NotSent:     true,
		NextAttempt: now,
		Refusals:    delivery.Refusals,
		Answer:      delivery.Answer,
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

// logError logs an error after which Run tries again, unless ctx has ended.
func (d *Dispatcher) logError(ctx context.Context, action string, err error) {
	if ctx.Err() == nil {
		d.log().ErrorContext(ctx, "deliveries delayed by an error", "action", action, "err", err)
	}
}
