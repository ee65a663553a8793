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
	SettleDeliveries(ctx context.Context, s []storage.Settlement) (stale []string, err error)
	NextDelivery(ctx context.Context) (time.Time, error)
	Delivery(ctx context.Context, id string) (storage.Delivery, error)
	Client(ctx context.Context, id string) (*storage.Client, error)
	RetryDelivery(ctx context.Context, id string, at time.Time, row func(storage.Row) storage.Row, e storage.Event) error
	CancelDelivery(ctx context.Context, id string, at time.Time, row func(storage.Row) storage.Row, e storage.Event) error
}

const (
	// lease is how long a claimed delivery is ours: a wait for a slot, an attempt, and the commit of its outcome.
	lease = 20 * time.Second
	// leaseLeft is what must be left of it to begin an attempt.
	leaseLeft = AttemptLimit + 3*time.Second
	// blockedPause is how soon to look again while the next due delivery is for a host that has no slot.
	blockedPause = 200 * time.Millisecond
	// troublePause is how soon to look again after the store refused.
	troublePause = time.Second
)

// Dispatcher brings logout tokens to relying parties. It is used by pointer; Store, Sign, Post, Now and Issuer are needed.
type Dispatcher struct {
	Store   Outbox
	Sign    Signer
	Post    Poster
	Now     func() time.Time
	Issuer  string
	Rand    func() float64 // in [0, 1), for jitter; nil: math/rand
	Log     *slog.Logger   // nil: slog.Default
	Observe Observe

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

// flight is an attempt that ended.
type flight struct {
	host      string
	attempted bool // not given back unsent
	answered  bool
	took      time.Duration
}

// Run delivers until ctx ends. Then it begins nothing more, waits for what is in flight (at most [AttemptLimit] and a commit),
// gives back what it had only claimed, and returns.
func (d *Dispatcher) Run(ctx context.Context) {
	d.Wake() // what an earlier process left
	ls := newLanes()
	landed := make(chan flight, slots)
	outcomes := make(chan *outcome, claimedMost)
	retimed := make(chan struct{}, 1)
	var settler sync.WaitGroup
	settler.Go(func() { d.settleAll(ctx, outcomes, retimed) })

	// An attempt that has begun is finished and recorded even while we shut down: the relying party may have acted on it.
	inFlight := context.WithoutCancel(ctx)
	begin := func(delivery storage.Delivery) {
		go func() {
			began := d.Now()
			o := d.attemptInTime(inFlight, delivery)
			outcomes <- o
			landed <- flight{host: delivery.Host, attempted: !o.quiet, answered: o.Answer.Status != 0, took: d.Now().Sub(began)}
		}()
	}
	timer := time.NewTimer(0)
	hungry := false
	for ctx.Err() == nil {
		if room := ls.room(); hungry && room > 0 {
			hungry = false
			timer.Reset(d.claim(ctx, ls, room))
		}
		ls.start(begin)
		select {
		case <-ctx.Done():
		case <-d.wake:
			hungry = true
		case <-timer.C:
			hungry = true
		case <-retimed:
			timer.Reset(d.nextDue(ctx))
		case f := <-landed:
			hungry = ls.finish(f) || hungry
		}
	}
	timer.Stop()
	for _, delivery := range ls.drop() {
		outcomes <- giveBack(delivery, d.Now())
	}
	for ; ls.flying > 0; ls.flying-- {
		<-landed
	}
	close(outcomes)
	settler.Wait()
}

// claim leases what is due and has room, and says when to look again.
func (d *Dispatcher) claim(ctx context.Context, ls *lanes, room int) time.Duration {
	claimed, err := d.Store.ClaimDeliveries(ctx, d.Now(), lease, room, ls.busy)
	if err != nil {
		d.complain(ctx, "claim deliveries", err)
		return troublePause
	}
	ls.add(claimed, room)
	return d.nextDue(ctx)
}

// nextDue is how long until something is due.
func (d *Dispatcher) nextDue(ctx context.Context) time.Duration {
	next, err := d.Store.NextDelivery(ctx)
	switch {
	case err != nil:
		d.complain(ctx, "find next delivery", err)
		return troublePause
	case next.IsZero():
		return lease // nothing waits; whoever writes something wakes us
	}
	if wait := next.Sub(d.Now()); wait > 0 {
		return wait
	}
	return blockedPause
}

// attemptInTime makes an attempt unless its lease would run out meanwhile: then somebody else could be telling the same.
func (d *Dispatcher) attemptInTime(ctx context.Context, delivery storage.Delivery) *outcome {
	if now := d.Now(); delivery.Leased.Sub(now) < leaseLeft {
		return giveBack(delivery, now)
	}
	return d.attempt(ctx, delivery)
}

// giveBack returns a delivery that was claimed and not begun.
func giveBack(delivery storage.Delivery, now time.Time) *outcome {
	return &outcome{quiet: true, delivery: delivery, Settlement: storage.Settlement{
		ID: delivery.ID, Lease: delivery.Lease, State: storage.DeliveryPending, Unsent: true, Next: now, Refused: delivery.Refused, Answer: delivery.Answer,
		Row: func(row storage.Row) storage.Row { return row },
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

// complain logs what will be tried again; not that ctx ended.
func (d *Dispatcher) complain(ctx context.Context, doing string, err error) {
	if ctx.Err() == nil {
		d.log().ErrorContext(ctx, "delivery interrupted", "doing", doing, "err", err)
	}
}
