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
		e.cause = req.Cause
		e.change = req.Change
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

// endSessionsTx is the state of one call of EndSessions. The call has three steps: begin checks the change, read
// collects the terminations as they are before the change, and write applies the change and removes the records.
type endSessionsTx struct {
	*tx
	storage.Selection
	cause         storage.Cause
	change        storage.Change
	bulkLogout    *bulkLogout // the bulk logout that this call continues; nil: none
	bulkLogoutKey string
	finished      bool                  // that bulk logout is finished: the call selects nothing
	cursor        []byte                // key of the last session that was read
	terminations  []storage.Termination // collected by read
	more          bool                  // read left records for a later call
	removed       []storage.Client      // the client that the change removes, as it was before
}

func newEndSessions(t *tx, sel storage.Selection) endSessionsTx {
	sel.OfflineUsers = map[string]bool{}
	sel.NotAdmitted = map[string]bool{}
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
		e.bulkLogout = stored
		e.Selection = stored.selection
		e.finished = !stored.Finished.IsZero()
		e.cursor = stored.Cursor
		return nil
	}
	e.findOfflineUsers()
	e.findNotAdmitted()
	return nil
}

// findOfflineUsers sets OfflineUsers for a selector that names sessions: the users of those sessions.
func (e *endSessionsTx) findOfflineUsers() {
	if !e.IncludeOffline || len(e.OfflineUsers) > 0 {
		return
	}
	for _, id := range e.Sessions {
		session, ok := e.sessionRecord(id)
		if ok && e.IncludesSession(session) && !e.endedByEarlierBulkLogout(session) {
			e.OfflineUsers[session.Subject] = true
		}
	}
}

// read collects up to limit terminations: first of sessions and client sessions, then of offline grants.
func (e *endSessionsTx) read(limit int) {
	if e.finished {
		return
	}
	if e.Grant != "" {
		if g, ok := e.grant(e.Grant); ok && !e.grantRevoked(g) {
			e.terminations = append(e.terminations, e.grantTermination(g))
		}
		return
	}
	e.readSessions(limit)
	if e.IncludeOffline && !e.more {
		e.readOfflineGrants(limit)
	}
}

// readOfflineGrants collects offline grants until there are limit terminations. It skips grants that end with one of
// the collected sessions.
func (e *endSessionsTx) readOfflineGrants(limit int) {
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

// readSessions collects terminations of sessions, or of client sessions, until there are limit terminations.
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
		session, endedEarlier := e.splitRevoked(session)
		if limit > 0 && len(e.terminations) >= limit {
			e.more = true
			return
		}
		e.cursor = slices.Clone(key)
		if e.Expired {
			e.OfflineUsers[session.Subject] = true
		}
		if whole || len(session.ClientSessions) > 0 {
			e.terminations = append(e.terminations, e.sessionTermination(session, whole))
		}
		e.terminations = append(e.terminations, endedEarlier...)
	}
}

// earlierBulkLogout finds a bulk logout that is under way, began before this termination, and matches.
func (e *endSessionsTx) earlierBulkLogout(matches func(*bulkLogout) bool) (*bulkLogout, bool) {
	for _, bulk := range e.cache.bulkLogouts {
		isEarlier := e.Before == 0 || bulk.Before < e.Before
		if isEarlier && matches(bulk) {
			return bulk, true
		}
	}
	return nil, false
}

// endedByEarlierBulkLogout reports whether an earlier bulk logout, which is still under way, has ended a session. That
// bulk logout will remove the session.
func (e *endSessionsTx) endedByEarlierBulkLogout(session storage.Session) bool {
	_, ok := e.earlierBulkLogout(func(bulk *bulkLogout) bool { return bulk.selection.EndsSession(session) })
	return ok
}

// offlineGrantEndedEarlier reports the same for an offline grant.
func (e *endSessionsTx) offlineGrantEndedEarlier(g storage.Grant) bool {
	_, ok := e.earlierBulkLogout(func(bulk *bulkLogout) bool { return bulk.selection.EndsOfflineGrant(g) })
	return ok
}

// splitRevoked takes out of a session those client sessions that an earlier bulk logout has ended but not removed yet.
// Each gets a termination of its own, with the cause of that bulk logout, because the client may have joined the
// session again meanwhile and then has two client sessions.
func (e *endSessionsTx) splitRevoked(
	session storage.Session,
) (rest storage.Session, endedEarlier []storage.Termination) {
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
		onlyThis := session
		onlyThis.ClientSessions = []storage.ClientSession{cs}
		end := e.sessionTermination(onlyThis, false)
		end.Cause = bulk.Cause
		end.EndedAt = bulk.StartedAt
		if c := bulk.removedClient(cs.Client); c != nil {
			end.Clients[cs.Client] = c
		}
		endedEarlier = append(endedEarlier, end)
	}
	return session, endedEarlier
}
