package logout

import (
	"context"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// settleTogether is how many outcomes go into one commit at most.
const settleTogether = 256

// settleAll records outcomes as they come, those that came meanwhile in one commit, until outcomes is closed.
func (d *Dispatcher) settleAll(ctx context.Context, outcomes <-chan *outcome, retimed chan<- struct{}) {
	// What relying parties answered is recorded even while we shut down.
	ctx = context.WithoutCancel(ctx)
	for first := range outcomes {
		batch := []*outcome{first}
		for len(batch) < settleTogether && len(outcomes) > 0 {
			o, open := <-outcomes
			if !open {
				break
			}
			batch = append(batch, o)
		}
		d.settleBatch(ctx, batch)
		select {
		case retimed <- struct{}{}:
		default:
		}
	}
}

// settleBatch records outcomes in one commit. While the store refuses it tries again, as long as the leases last; after that the
// deliveries are due again, which their relying parties see as a duplicate.
func (d *Dispatcher) settleBatch(ctx context.Context, batch []*outcome) {
	settlements := make([]storage.Settlement, len(batch))
	for i, o := range batch {
		settlements[i] = o.Settlement
	}
	var stale []string
	var err error
	for begun, pause := d.Now(), 50*time.Millisecond; ; pause = min(2*pause, time.Second) {
		if stale, err = d.Store.SettleDeliveries(ctx, settlements); err == nil {
			break
		}
		if d.Now().Sub(begun) > lease {
			d.log().ErrorContext(ctx, "delivery outcomes lost", "count", len(batch), "err", err)
			return
		}
		<-time.After(pause)
	}
	lost := map[string]bool{}
	for _, id := range stale {
		lost[id] = true
	}
	for _, o := range batch {
		d.note(ctx, o, lost[o.ID])
	}
}

// note tells log and metrics of an outcome that was recorded, or that came too late to be.
func (d *Dispatcher) note(ctx context.Context, o *outcome, stale bool) {
	if o.quiet {
		return
	}
	log := d.log().With("client", o.delivery.Client, "report", o.delivery.Report, "delivery", o.ID, "jti", o.Answer.JTI, "attempt", o.delivery.Attempts, "answer", class(o.Answer), "late", o.delivery.Late)
	switch {
	case stale:
		log.WarnContext(ctx, "delivery outcome came after its lease")
		return
	case o.State == storage.DeliveryDone:
		log.InfoContext(ctx, "relying party told")
	case o.State == storage.DeliveryFailed:
		log.WarnContext(ctx, "delivery given up", "detail", o.Answer.Detail)
	default:
		log.InfoContext(ctx, "delivery put off", "next", o.Next, "detail", o.Answer.Detail)
	}
	if o.State != storage.DeliveryPending {
		d.Observe.settled(o.delivery, o.State)
	}
	if o.to != o.from {
		d.Observe.row(o.kind, o.to)
		if o.to == storage.TrustConfirmed {
			d.Observe.confirmed(o.delivery, o.Answer.At)
		}
	}
}
