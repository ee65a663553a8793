package logout

import (
	"time"

	"github.com/curfew-id/curfew/storage"
)

// Observe is told what happens, for metrics. Every function may be nil and must be quick and safe for concurrent use.
type Observe struct {
	Ended     func(reason storage.Reason, whole bool)                     // something ended
	Row       func(kind string, trust storage.TrustState)                 // a row came into that state
	Horizon   func(scope string, d time.Duration, unknown int)            // of something that ended: op, tokens, apps; unknown holders beside it
	Attempt   func(client, class string, took time.Duration)              // an attempt: the HTTP status or the class of its failure
	Settled   func(client string, state storage.DeliveryState, late bool) // a delivery came to rest
	Confirmed func(client string, after time.Duration)                    // a relying party confirmed, that long after the end
}

func (o Observe) ended(r storage.Report) {
	if o.Ended != nil {
		o.Ended(r.Cause.Reason, r.Whole)
	}
	for _, row := range r.Rows {
		o.row(row.Kind, row.Trust)
	}
	if o.Horizon == nil {
		return
	}
	e := Assess(r, r.At)
	o.Horizon("op", e.Op.Within(r.At), e.Op.Unknown)
	o.Horizon("tokens", e.Tokens.Within(r.At), e.Tokens.Unknown)
	o.Horizon("apps", e.Apps.Within(r.At), e.Apps.Unknown)
}

func (o Observe) row(kind string, trust storage.TrustState) {
	if o.Row != nil {
		o.Row(kind, trust)
	}
}

func (o Observe) attempt(client, class string, took time.Duration) {
	if o.Attempt != nil {
		o.Attempt(client, class, took)
	}
}

func (o Observe) settled(d storage.Delivery, state storage.DeliveryState) {
	if o.Settled != nil {
		o.Settled(d.Client, state, d.Late)
	}
}

func (o Observe) confirmed(d storage.Delivery, at time.Time) {
	if o.Confirmed != nil {
		o.Confirmed(d.Client, at.Sub(d.Created))
	}
}
