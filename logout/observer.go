package logout

import (
	"time"

	"github.com/curfew-id/curfew/storage"
)

// Observer receives events, for metrics. Every function may be nil. It must return at once and be safe for concurrent
// use.
type Observer struct {
	OnTermination      func(reason storage.Reason, whole bool)                               // a session, client session or grant ended
	OnTrustChange      func(kind string, trust storage.TrustState)                           // a report entry came into that trust state
	OnHorizon          func(part string, d time.Duration, unknown int)                       // at the end of a session: how long until the last bound, and how many have none
	OnAttemptStart     func(hostClass string, wait time.Duration)                            // an attempt began, that long after it was due
	OnAttempt          func(client, class string, took time.Duration)                        // an attempt ended with that HTTP status or class of failure
	OnDeliveryFinished func(client string, state storage.DeliveryState, renotification bool) // no more attempts follow
	OnConfirmation     func(client string, after time.Duration)                              // a relying party confirmed, that long after the end
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

func (o Observer) attemptStart(class hostClass, wait time.Duration) {
	if o.OnAttemptStart != nil {
		o.OnAttemptStart(class.String(), max(0, wait))
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
