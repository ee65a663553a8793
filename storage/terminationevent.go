package storage

import (
	"slices"
	"strings"
	"time"
)

// Events returns the audit lines of a termination: one for the session or client session, one for each offline grant,
// and one for a session-bound grant that ended alone.
func (t Termination) Events() (events []Event) {
	if t.Session.ID != "" {
		events = append(events, t.sessionEvent())
	}
	for _, g := range t.Grants {
		if g.Offline() || t.Session.ID == "" {
			events = append(events, GrantEndedEvent(g, t.Cause, t.EndedAt))
		}
	}
	return events
}

func (t Termination) sessionEvent() Event {
	e := Event{
		At:      t.EndedAt,
		Kind:    "client_session.ended",
		Reason:  t.Cause.Reason,
		Cause:   t.Cause.ID,
		By:      t.Cause.By,
		Address: t.Cause.Address,
		Subject: t.Session.Subject,
		Session: SessionHash(t.Session.ID),
	}
	if !t.WholeSession {
		e.Client = t.Session.ClientSessions[0].Client
		return e
	}
	e.Kind, e.Client = "session.ended", t.Cause.Client
	if len(t.Session.ClientSessions) > 0 {
		e.Detail = map[string]string{"clients": t.Session.clientIDs()}
	}
	return e
}

// GrantEndedEvent returns the audit line of a grant that ended.
func GrantEndedEvent(g Grant, cause Cause, at time.Time) Event {
	return Event{
		At:      at,
		Kind:    "grant.ended",
		Reason:  cause.Reason,
		Cause:   cause.ID,
		By:      cause.By,
		Address: cause.Address,
		Subject: g.Subject,
		Session: SessionHash(g.Session),
		Client:  g.Client,
	}
}

// clientIDs returns the client_ids of a session's clients, sorted, without duplicates, separated by spaces.
func (s *Session) clientIDs() string {
	list := make([]string, len(s.ClientSessions))
	for i, cs := range s.ClientSessions {
		list[i] = cs.Client
	}
	slices.Sort(list)
	return strings.Join(slices.Compact(list), " ")
}
