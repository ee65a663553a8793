package logout

import (
	"time"

	"github.com/curfew-id/curfew/storage"
)

// Observer is told what happens, for metrics. Every function may be nil and must be quick and safe for concurrent use.
type Observer struct {
	OnTermination      func(reason storage.Reason, whole bool)                     // something ended
	OnTrustChange      func(kind string, trust storage.TrustState)                 // a row came into that state
	OnHorizon          func(scope string, d time.Duration, unknown int)            // of something that ended: op, tokens, apps; unknown holders beside it
	OnAttempt          func(client, class string, took time.Duration)              // an attempt: the HTTP status or the class of its failure
	OnDeliveryFinished func(client string, state storage.DeliveryState, late bool) // a delivery came to rest
	OnConfirmation     func(client string, after time.Duration)                    // a relying party confirmed, that long after the end
}

func (o Observer) termination(r storage.Report) {
	if o.OnTermination != nil {
		o.OnTermination(r.Cause.Reason, r.WholeSession)
	}
	for _, entry := range r.Entries {
		o.trustChange(entry.Kind, entry.Trust)
	}
	if o.OnHorizon == nil {
		return
	}
	e := AssessReport(r, r.EndedAt)
	o.OnHorizon("op", e.OP.Remaining(r.EndedAt), e.OP.Unknown)
	o.OnHorizon("tokens", e.Tokens.Remaining(r.EndedAt), e.Tokens.Unknown)
	o.OnHorizon("clients", e.Clients.Remaining(r.EndedAt), e.Clients.Unknown)
}

func (o Observer) trustChange(kind string, trust storage.TrustState) {
	if o.OnTrustChange != nil {
		o.OnTrustChange(kind, trust)
	}
}

func (o Observer) attempt(client, class string, duration time.Duration) {
	if o.OnAttempt != nil {
		o.OnAttempt(client, class, duration)
	}
}

func (o Observer) deliveryFinished(d storage.Delivery, state storage.DeliveryState) {
	if o.OnDeliveryFinished != nil {
		o.OnDeliveryFinished(d.Client, state, d.Renotification)
	}
}

func (o Observer) confirmation(d storage.Delivery, at time.Time) {
	if o.OnConfirmation != nil {
		o.OnConfirmation(d.Client, at.Sub(d.Created))
	}
}
