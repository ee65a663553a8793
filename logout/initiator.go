package logout

import (
	"context"
	"slices"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// initiator.go notifies the client that started a logout after all others, where the browser goes back to it. The
// client finishes the logout when the browser arrives, and some clients report an error if a logout token has ended
// their session before (Keycloak as a broker does). RP-Initiated Logout 1.0 leaves the order open.

const (
	// initiatorDelay is how long after the answer with the redirect the initiator is notified. The browser needs that
	// time to get there.
	initiatorDelay = time.Second
	// initiatorAllowance is how long after the longest wait of the signed-out page the initiator is notified, if no
	// answer with a redirect was written.
	initiatorAllowance = 2 * time.Second
)

// returningClient is what a termination does about its initiator.
type returningClient struct {
	sid      string // of the client session that is not notified with the others; empty: there is none
	delivery string // the delivery that was put off; empty: it is not notified at all
}

// planInitiator changes the plan of a termination for the client session that the logout was started from. Its first
// notification is put off, or planned no more if the client has notify_initiator false. It is never notified twice.
//
// Two clients are notified with the others. A logout token without sid ends every session of the user at the client,
// also one that began while the token was put off. And to a client without a back channel only the frame is left.
func (t *Terminator) planInitiator(
	plan *storage.Plan,
	termination storage.Termination,
	initiator storage.Initiator,
) returningClient {
	i := slices.IndexFunc(termination.Session.ClientSessions, func(cs storage.ClientSession) bool {
		return initiator.SID != "" && cs.SID == initiator.SID
	})
	if i < 0 {
		return returningClient{}
	}
	c := termination.Clients[termination.Session.ClientSessions[i].Client]
	if c == nil {
		return returningClient{}
	}
	entry := plan.Report.Entry(KindClientSession, c.ClientID)
	// Without a verified hint anyone can have written the client's ID into the request.
	if !c.IsNotifiedAsInitiator() && initiator.HintVerified {
		plan.Deliveries = slices.DeleteFunc(plan.Deliveries, func(d storage.Delivery) bool {
			return d.SID == initiator.SID
		})
		entry.Initiator, entry.Delivery = true, storage.DeliveryNone
		entry.NextAttempt, entry.Renotification = time.Time{}, ""
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
		entry.Initiator, entry.NextAttempt, entry.Renotification = true, d.NextAttempt, ""
		return returningClient{sid: initiator.SID, delivery: d.ID}
	}
	return returningClient{}
}

// IsPutOff reports whether the client of that client session is not notified with the others: it started the logout,
// and is notified when the browser is back there, or not at all.
func (r Result) IsPutOff(sid string) bool { return sid != "" && sid == r.returning.sid }

// RedirectWritten makes the notification of the client that started the logout due in a second. Call it when the
// answer that leads the browser back there has been written. If the store fails, the notification stays due when the
// termination planned it.
func (t *Terminator) RedirectWritten(ctx context.Context, o Result) {
	if o.returning.delivery == "" {
		return
	}
	due := t.Now().Add(initiatorDelay)
	err := t.Store.AdvanceDelivery(context.WithoutCancel(ctx), o.returning.delivery, due,
		func(entry storage.ReportEntry) storage.ReportEntry {
			entry.NextAttempt = due
			return entry
		})
	if err != nil {
		t.log().WarnContext(ctx, "the client that started the logout is notified later", "err", err)
	}
	if t.Wake != nil {
		t.Wake()
	}
}

// withoutSubject leaves sub out of a notification that was put off, if the user has signed in to the client again
// meanwhile: with sub the logout token could end the new session too.
func (d *Dispatcher) withoutSubject(ctx context.Context, delivery storage.Delivery) storage.Delivery {
	if !delivery.Initiator || delivery.Claims == "sid" {
		return delivery
	}
	again, err := d.hasNewClientSession(ctx, delivery)
	if err != nil {
		d.logError(ctx, "find the user's sessions", err)
	}
	if err != nil || again {
		delivery.Claims = "sid"
	}
	return delivery
}

// hasNewClientSession reports whether the user has joined a session at the delivery's client since the termination.
func (d *Dispatcher) hasNewClientSession(ctx context.Context, delivery storage.Delivery) (bool, error) {
	report, err := d.Store.Report(ctx, delivery.Report)
	if err != nil {
		return false, err
	}
	selector := storage.Selector{Subject: report.Subject, Client: delivery.Client}
	for after := ""; ; {
		sessions, next, err := d.Store.ListSessions(ctx, selector, d.Now(), storage.Page{After: after})
		if err != nil {
			return false, err
		}
		for _, s := range sessions {
			if cs := s.ClientSession(delivery.Client); cs != nil && !cs.Joined.Before(delivery.Created) {
				return true, nil
			}
		}
		if after = next; after == "" {
			return false, nil
		}
	}
}
