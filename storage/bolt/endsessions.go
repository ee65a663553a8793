package bolt

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// EndSessions implements storage.Terminations.
func (s *Store) EndSessions(
	ctx context.Context,
	req storage.EndRequest,
	at time.Time,
	limit int,
	plan func(storage.Termination) storage.Plan,
) ([]storage.Termination, bool, error) {
	type result struct {
		terminations []storage.Termination
		more         bool
	}
	out, err := write(ctx, s, func(t *tx) (result, error) {
		e := newEndSessions(t, storage.Selection{Selector: req.Selector, At: truncateToMillis(at)})
		e.cause, e.change = req.Cause, req.Change
		if err := e.begin(); err != nil {
			return result{}, fmt.Errorf("end sessions: %w", err)
		}
		e.read(limit)
		if t.err != nil {
			return result{}, t.err
		}
		e.write(plan, s.lastTime())
		return result{e.terminations, e.more}, nil
	})
	if err != nil {
		return nil, false, err
	}
	return out.terminations, out.more, nil
}

// endSessionsTx is one call of EndSessions: begin checks the change, read collects what ends as it is before the
// change, write changes and removes.
type endSessionsTx struct {
	*tx
	storage.Selection
	cause         storage.Cause
	change        storage.Change
	bulkLogout    *bulkLogout // the bulk logout that this call continues
	bulkLogoutKey string
	finished      bool   // that bulk logout is finished: nothing is selected
	cursor        []byte // how far the sessions have been read
	terminations  []storage.Termination
	more          bool
}

func newEndSessions(t *tx, sel storage.Selection) endSessionsTx {
	sel.OfflineUsers = map[string]bool{}
	return endSessionsTx{tx: t, Selection: sel}
}

// begin checks the change and finds the bulk logout that the call continues.
func (e *endSessionsTx) begin() (err error) {
	if err := e.checkChange(&e.change, e.At); err != nil {
		return err
	}
	if e.bulkLogoutKey, err = bulkLogoutKey(e.Selector, e.cause, e.At); err != nil {
		return err
	}
	if stored, ok := e.findBulkLogout(e.bulkLogoutKey); ok {
		e.bulkLogout, e.Selection = stored, stored.selection
		e.finished, e.cursor = !stored.Finished.IsZero(), stored.Cursor
		return nil
	}
	e.findOfflineUsers()
	return nil
}

// findOfflineUsers finds whose offline grants end where sessions are named by id.
func (e *endSessionsTx) findOfflineUsers() {
	if !e.IncludeOffline || len(e.OfflineUsers) > 0 {
		return
	}
	for _, id := range e.Sessions {
		if session, ok := e.sessionRecord(id); ok && e.IncludesSession(session) &&
			!e.endedByEarlierBulkLogout(session) {
			e.OfflineUsers[session.Subject] = true
		}
	}
}

// read collects what ends: up to limit sessions, or, when these are done, offline grants.
func (e *endSessionsTx) read(limit int) {
	if e.finished {
		return
	}
	e.readSessions(limit)
	if e.Grant != "" {
		if g, ok := e.grant(e.Grant); ok && !e.grantRevoked(g) {
			e.terminations = append(e.terminations, e.grantTermination(g))
		}
		return
	}
	if e.more || !e.IncludeOffline {
		return
	}
	collected := map[string]bool{}
	for _, end := range e.terminations {
		for _, g := range end.Grants {
			collected[g.ID] = true
		}
	}
	for _, g := range e.offlineGrantCandidates(e.Selection, nil) {
		if collected[g.ID] || !e.EndsOfflineGrant(g) || e.offlineGrantEndedEarlier(g) {
			continue
		}
		if limit > 0 && len(e.terminations) >= limit {
			e.more = true
			return
		}
		e.terminations = append(e.terminations, e.grantTermination(g))
	}
}

// readSessions collects up to limit sessions, or client sessions, that end.
func (e *endSessionsTx) readSessions(limit int) {
	for key, id := range e.sessionCandidates(e.Selection, e.cursor) {
		session, ok := e.sessionRecord(id)
		if !ok || !e.IncludesSession(session) || e.endedByEarlierBulkLogout(session) {
			continue
		}
		whole := e.EndsSession(session)
		session.ClientSessions = e.clientSessionsOf(id)
		if !whole {
			session.ClientSessions = slices.DeleteFunc(
				session.ClientSessions,
				func(cs storage.ClientSession) bool { return !e.EndsClientSession(session, cs) },
			)
			if len(session.ClientSessions) == 0 {
				continue
			}
		}
		session, ended := e.splitRevoked(session)
		if limit > 0 && len(e.terminations) >= limit {
			e.more = true
			return
		}
		if e.cursor = slices.Clone(key); e.Expired {
			e.OfflineUsers[session.Subject] = true
		}
		if whole || len(session.ClientSessions) > 0 {
			e.terminations = append(e.terminations, e.sessionTermination(session, whole))
		}
		e.terminations = append(e.terminations, ended...)
	}
}

// earlierBulkLogout finds a bulk logout under way that matches and began before this termination.
func (e *endSessionsTx) earlierBulkLogout(matches func(*bulkLogout) bool) (*bulkLogout, bool) {
	for _, bulk := range e.cache.bulkLogouts {
		if (e.Before == 0 || bulk.Before < e.Before) && matches(bulk) {
			return bulk, true
		}
	}
	return nil, false
}

// endedByEarlierBulkLogout reports whether a session is left to the bulk logout under way that has ended it.
func (e *endSessionsTx) endedByEarlierBulkLogout(session storage.Session) bool {
	_, ok := e.earlierBulkLogout(func(bulk *bulkLogout) bool { return bulk.selection.EndsSession(session) })
	return ok
}

// offlineGrantEndedEarlier reports whether an offline grant is left to the bulk logout under way that has ended it.
func (e *endSessionsTx) offlineGrantEndedEarlier(g storage.Grant) bool {
	_, ok := e.earlierBulkLogout(func(bulk *bulkLogout) bool { return bulk.selection.EndsOfflineGrant(g) })
	return ok
}

// splitRevoked takes the client sessions out of a session that a bulk logout under way has ended and not removed yet.
// They stand by themselves, with the cause of that bulk logout, a report and a delivery of their own: the client may
// have joined the session again since.
func (e *endSessionsTx) splitRevoked(session storage.Session) (rest storage.Session, ended []storage.Termination) {
	candidates := session.ClientSessions
	session.ClientSessions = nil
	for _, cs := range candidates {
		bulk, ok := e.earlierBulkLogout(
			func(bulk *bulkLogout) bool { return bulk.selection.EndsClientSession(session, cs) },
		)
		if !ok {
			session.ClientSessions = append(session.ClientSessions, cs)
			continue
		}
		single := session
		single.ClientSessions = []storage.ClientSession{cs}
		end := e.sessionTermination(single, false)
		end.Cause, end.EndedAt = bulk.Cause, bulk.StartedAt
		ended = append(ended, end)
	}
	return session, ended
}
