package logout

import (
	"context"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// maxOutcomeBatch is the largest number of outcomes in one commit.
const maxOutcomeBatch = 256

// recordOutcomes records outcomes until the channel is closed. Outcomes that arrive during a commit go together into
// the next one.
func (d *Dispatcher) recordOutcomes(
	ctx context.Context,
	outcomes <-chan *attemptOutcome,
	hosts *hostRecorder,
	reschedule chan<- struct{},
) {
	// Answers of relying parties are recorded even during shutdown.
	ctx = context.WithoutCancel(ctx)
	for first := range outcomes {
		batch := []*attemptOutcome{first}
		for len(batch) < maxOutcomeBatch && len(outcomes) > 0 {
			o, ok := <-outcomes
			if !ok {
				break
			}
			batch = append(batch, o)
		}
		for _, o := range batch {
			o.HostHealth = hosts.change(o, d.Now())
		}
		d.recordBatch(ctx, batch)
		select {
		case reschedule <- struct{}{}:
		default:
		}
	}
}

// The pauses between two attempts to record a batch.
const (
	minRecordPause = 50 * time.Millisecond
	maxRecordPause = time.Second
)

// recordBatch records outcomes in one commit. After an error of the store it tries again until the leases end. Then the
// deliveries become due again, and their relying parties get another logout token.
func (d *Dispatcher) recordBatch(ctx context.Context, batch []*attemptOutcome) {
	records := make([]storage.DeliveryOutcome, len(batch))
	for i, o := range batch {
		records[i] = o.DeliveryOutcome
	}
	var stale []string
	var err error
	started := d.Now()
	for pause := minRecordPause; ; pause = min(2*pause, maxRecordPause) {
		stale, err = d.Store.RecordOutcomes(ctx, records)
		if err == nil {
			break
		}
		if d.Now().Sub(started) > leaseDuration {
			d.log().ErrorContext(
				ctx,
				"delivery outcomes not recorded; they will be sent again",
				"count", len(batch),
				"err", err,
			)
			return
		}
		<-time.After(pause)
	}
	isStale := map[string]bool{}
	for _, id := range stale {
		isStale[id] = true
	}
	for _, o := range batch {
		d.logOutcome(ctx, o, isStale[o.ID])
	}
}

// logOutcome reports an outcome to the log and the metrics. stale says that the outcome came after the end of its lease
// and was not recorded.
func (d *Dispatcher) logOutcome(ctx context.Context, o *attemptOutcome, stale bool) {
	if o.notSent {
		return
	}
	log := d.log().With(
		"client", o.delivery.Client,
		"report", o.delivery.Report,
		"delivery", o.ID,
		"jti", o.Answer.JTI,
		"attempt", o.delivery.Attempts,
		"answer", answerClass(o.Answer),
		"renotification", o.delivery.Renotification,
	)
	switch {
	case stale:
		log.WarnContext(ctx, "delivery outcome came after its lease and was dropped")
		return
	case o.State == storage.DeliveryDone:
		log.InfoContext(ctx, "logout token delivered")
	case o.State == storage.DeliveryFailed:
		log.WarnContext(ctx, "delivery given up", "detail", o.Answer.Detail)
	default:
		log.InfoContext(ctx, "delivery will be tried again", "next_attempt", o.NextAttempt, "detail", o.Answer.Detail)
	}
	if o.State != storage.DeliveryPending {
		d.Observer.deliveryFinished(o.delivery, o.State)
	}
	if o.newTrust != o.oldTrust {
		d.Observer.trustChange(o.entryKind, o.newTrust)
		if o.newTrust == storage.TrustConfirmed {
			d.Observer.confirmation(o.delivery, o.Answer.At)
		}
	}
}
