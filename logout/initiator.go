package logout

import (
	"context"
	"slices"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// initiator.go delays the notification of the initiator: the client that started a logout and to which the browser then
// returns. The client finishes the logout when the browser arrives. Some clients report an error if a logout token has
// ended their session before that (Keycloak as a broker does). RP-Initiated Logout 1.0 does not prescribe an order.

const (
	// initiatorDelay is the time from the response with the redirect to the notification of the initiator. The browser
	// needs that time to arrive there.
	initiatorDelay = time.Second
	// initiatorAllowance is added to RedirectDelay for the case that no response with a redirect is written.
	initiatorAllowance = 2 * time.Second
)

// returningClient says how a termination treats its initiator.
type returningClient struct {
	sid      string // of the client session that is not notified with the others; empty: all are
	delivery string // ID of the delayed delivery; empty: the client session is not notified
}

// planInitiator changes the plan of a termination for the client session from which the logout was started. It delays
// the first notification, or removes it if the client's metadata say notify_initiator: false. It always removes the
// re-notification.
//
// It does not delay the notification of two kinds of clients. A client with logout_token_claims sub would also end a
// session that began during the delay. A client without a back channel gets only a frame.
func (t *Terminator) planInitiator(
	plan *storage.Plan,
	termination storage.Termination,
	initiator storage.Initiator,
) returningClient {
	isInitiator := func(cs storage.ClientSession) bool { return initiator.SID != "" && cs.SID == initiator.SID }
	i := slices.IndexFunc(termination.Session.ClientSessions, isInitiator)
	if i < 0 {
		return returningClient{}
	}
	c := termination.Clients[termination.Session.ClientSessions[i].Client]
	if c == nil {
		return returningClient{}
	}
	entry := plan.Report.Entry(KindClientSession, c.ClientID)
	// Without a verified hint the request does not show which client made it.
	if !c.IsNotifiedAsInitiator() && initiator.HintVerified {
		plan.Deliveries = slices.DeleteFunc(plan.Deliveries, func(d storage.Delivery) bool {
			return d.SID == initiator.SID
		})
		entry.Initiator = true
		entry.Delivery = storage.DeliveryNone
		entry.NextAttempt = time.Time{}
		entry.Renotification = ""
		return returningClient{sid: initiator.SID}
	}
	if c.BackchannelLogoutURI == "" || c.LogoutTokenClaims == "sub" {
		return returningClient{}
	}
	plan.Deliveries = slices.DeleteFunc(plan.Deliveries, func(d storage.Delivery) bool {
		return d.SID == initiator.SID && d.Renotification
	})
	for i := range plan.Deliveries {
		d := &plan.Deliveries[i]
		if d.SID != initiator.SID {
			continue
		}
		d.Initiator = true
		d.NextAttempt = termination.EndedAt.Add(t.RedirectDelay + initiatorAllowance)
		d.GiveUpAt = latest(d.GiveUpAt, d.NextAttempt.Add(minDeliveryPeriod))
		entry.Initiator = true
		entry.NextAttempt = d.NextAttempt
		entry.Renotification = ""
		return returningClient{sid: initiator.SID, delivery: d.ID}
	}
	return returningClient{}
}

// IsPutOff reports whether the client session with that sid is not notified with the others: its client started the
// logout, and is notified when the browser has returned to it, or not at all.
func (r Result) IsPutOff(sid string) bool { return sid != "" && sid == r.returning.sid }

// RedirectWritten makes the delayed notification of the initiator due after initiatorDelay. Call it when the response
// that redirects the browser to the initiator has been written. If the store fails, the notification keeps the due time
// that the termination planned.
func (t *Terminator) RedirectWritten(ctx context.Context, o Result) {
	if o.returning.delivery == "" {
		return
	}
	due := t.Now().Add(initiatorDelay)
	setNextAttempt := func(entry storage.ReportEntry) storage.ReportEntry {
		entry.NextAttempt = due
		return entry
	}
	ctx = context.WithoutCancel(ctx) // the browser may close the connection after the redirect
	err := t.Store.AdvanceDelivery(ctx, o.returning.delivery, due, setNextAttempt)
	if err != nil {
		t.log().WarnContext(ctx, "the client that started the logout is notified later", "err", err)
	}
	if t.Wake != nil {
		t.Wake()
	}
}

// withoutSubject removes sub from a delayed notification if the user has signed in to the client again during the
// delay: with sub the logout token could end the new session too.
func (d *Dispatcher) withoutSubject(ctx context.Context, delivery storage.Delivery) storage.Delivery {
	if !delivery.Initiator || delivery.Claims == "sid" {
		return delivery
	}
	signedInAgain, err := d.hasNewClientSession(ctx, delivery)
	if err != nil {
		d.logError(ctx, "find the user's sessions", err)
	}
	if err != nil || signedInAgain {
		delivery.Claims = "sid"
	}
	return delivery
}

// hasNewClientSession reports whether the user has a client session at the delivery's client that began after the
// termination.
func (d *Dispatcher) hasNewClientSession(ctx context.Context, delivery storage.Delivery) (bool, error) {
	report, err := d.Store.Report(ctx, delivery.Report)
	if err != nil {
		return false, err
	}
	selector := storage.Selector{Subject: report.Subject, Client: delivery.Client}
	cursor := ""
	for {
		sessions, next, err := d.Store.ListSessions(ctx, selector, d.Now(), storage.Page{After: cursor})
		if err != nil {
			return false, err
		}
		for _, s := range sessions {
			cs := s.ClientSession(delivery.Client)
			if cs != nil && !cs.Joined.Before(delivery.Created) {
				return true, nil
			}
		}
		if next == "" {
			return false, nil
		}
		cursor = next
	}
}
