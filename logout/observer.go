package logout

import (
	"time"

	"github.com/curfew-id/curfew/storage"
)

// Observer contains the functions that count events for metrics. Each may be nil. They must return at once and be safe
// for concurrent use.
type Observer struct {
	// OnTermination: a session, client session or grant ended.
	OnTermination func(reason storage.Reason, whole bool)
	// OnTrustChange: a report entry got that trust state.
	OnTrustChange func(kind string, trust storage.TrustState)
	// OnHorizon: a session ended. The part op, tokens or clients of its trust horizon expires after remaining, and
	// that many of its entries are unknown.
	OnHorizon func(part string, remaining time.Duration, unknown int)
	// OnAttemptStart: an attempt began, and wait is the time since it was due.
	OnAttemptStart func(hostClass string, wait time.Duration)
	// OnUnknownHosts: the counts of Dispatcher.UnknownHosts have changed.
	OnUnknownHosts func(counts UnknownHosts)
	// OnAttempt: an attempt ended. class is the HTTP status or the class of the failure.
	OnAttempt func(client, class string, duration time.Duration)
	// OnDeliveryFinished: a delivery ended in that state; no attempt follows.
	OnDeliveryFinished func(client string, state storage.DeliveryState, renotification bool)
	// OnConfirmation: a relying party confirmed a logout, and after is the time since the termination.
	OnConfirmation func(client string, after time.Duration)
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

func (o Observer) unknownHosts(counts UnknownHosts) {
	if o.OnUnknownHosts != nil {
		o.OnUnknownHosts(counts)
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
