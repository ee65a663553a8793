package bolt

import (
	"maps"
	"slices"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// termination.go collects terminations, and removes and stores their records.

// sessionTermination collects the termination of a session, or of the client sessions in it, with their grants.
func (e *endSessionsTx) sessionTermination(session storage.Session, whole bool) storage.Termination {
	end := storage.Termination{
		Cause:        e.cause,
		EndedAt:      e.At,
		Session:      session,
		WholeSession: whole,
		Clients:      map[string]*storage.Client{},
	}
	if e.Expired {
		end.Cause.Reason = session.ExpiryReason()
	}
	end.User, _ = e.user(session.Subject)
	for _, cs := range session.ClientSessions {
		e.addClient(&end, cs.Client)
		room := storage.MaxGrants - len(end.Grants) // an older store may have more; see discardBoundGrants
		end.Grants = append(end.Grants, e.boundGrants(session.ID, cs.SID, room)...)
	}
	for client := range end.Clients {
		for _, g := range e.offlineGrants(session.Subject, client) {
			givenInSession := slices.ContainsFunc(
				session.ClientSessions,
				func(cs storage.ClientSession) bool { return cs.SID == g.SID },
			)
			switch {
			case e.offlineGrantEndedEarlier(g):
			case e.IncludeOffline && givenInSession:
				end.Grants = append(end.Grants, g)
			case !e.EndsOfflineGrant(g) && g.UnexpiredAt(e.At):
				end.RemainingOffline = append(end.RemainingOffline, g)
			}
		}
	}
	return end
}

// grantTermination collects the termination of a grant that ends alone. A session-bound grant gets the token expiry of
// its client session.
func (e *endSessionsTx) grantTermination(g storage.Grant) storage.Termination {
	if !g.Offline() {
		cs, _ := load[storage.ClientSession](e.tx, sessions, joinKey(string(g.Session), g.SID))
		g.Trust.Extend(cs.TokenExpiry)
	}
	end := storage.Termination{
		Cause:   e.cause,
		EndedAt: e.At,
		Grants:  []storage.Grant{g},
		Clients: map[string]*storage.Client{},
	}
	end.User, _ = e.user(g.Subject)
	e.addClient(&end, g.Client)
	return end
}

// addClient adds a client, as it is before the change, to a termination. A client that was removed since the bulk
// logout began is added as it was then.
func (e *endSessionsTx) addClient(end *storage.Termination, id string) {
	c := e.client(id)
	if e.bulkLogout != nil {
		if removed := e.bulkLogout.removedClient(id); removed != nil {
			c = removed
		}
	}
	if c != nil {
		end.Clients[id] = c
	}
}

// write applies the change, removes the records of the terminations, and stores the plan for each.
func (e *endSessionsTx) write(plan func(storage.Termination) storage.Plan, now time.Time) {
	e.cutOffEarlier()
	if c := e.client(e.change.RemoveClient); c != nil {
		e.removed = append(e.removed, *c)
	}
	e.applyChange(e.change, e.At)
	var done []storage.Termination
	for _, end := range e.terminations {
		var auditSeqs []uint64
		for _, event := range end.Events() {
			auditSeqs = append(auditSeqs, e.appendEvent(event))
		}
		e.remove(end)
		if plan != nil {
			e.storePlan(plan(end), auditSeqs)
		}
		if end.Cause.ID != e.cause.ID {
			e.countForEarlier(end)
		} else {
			done = append(done, end)
		}
	}
	e.finish(done, now)
}

// cutOffEarlier raises the sequence for a new termination, and writes its cutoffs. Three kinds of termination need a
// sequence: with cutoffs, with further calls (a bulk logout), and with the removal of a client.
func (e *endSessionsTx) cutOffEarlier() {
	if e.bulkLogout != nil {
		return // the first call of this bulk logout did it
	}
	scopes := e.CutoffScopes()
	beginsBulkLogout := e.more && !e.Expired
	if len(scopes) == 0 && !beginsBulkLogout && e.change.RemoveClient == "" {
		return
	}
	e.Before = e.nextSequence()
	for _, scope := range scopes {
		e.putCutoff(scope, storage.Cutoff{
			Sequence:  e.Before,
			Except:    e.Except,
			ExpiresAt: e.At.Add(scope.Lifetime()),
		})
	}
}

// remove removes the session or client sessions and the grants of a termination.
func (e *endSessionsTx) remove(end storage.Termination) {
	for _, g := range end.Grants {
		e.removeGrant(g)
	}
	for _, cs := range end.Session.ClientSessions {
		e.discardBoundGrants(end.Session.ID, cs.SID)
	}
	if end.WholeSession {
		e.removeSession(end.Session)
		return
	}
	for _, cs := range end.Session.ClientSessions {
		e.removeClientSession(end.Session.ID, cs)
	}
}

// storePlan stores the report and the deliveries of a termination. auditSeqs are the numbers of its audit lines.
func (e *endSessionsTx) storePlan(p storage.Plan, auditSeqs []uint64) {
	var keepUntil time.Time
	if p.Report != nil {
		r := *p.Report
		r.Audit = append(slices.Clone(r.Audit), auditSeqs...)
		keepUntil = r.DeleteAfter
		e.addReport(r)
	}
	for _, d := range p.Deliveries {
		e.addDelivery(d, keepUntil)
	}
}

// countForEarlier counts a client session in the earlier bulk logout that ended it (splitRevoked).
func (e *endSessionsTx) countForEarlier(end storage.Termination) {
	hasSameCause := func(bulk *bulkLogout) bool { return bulk.Cause.ID == end.Cause.ID }
	if bulk, ok := e.earlierBulkLogout(hasSameCause); ok {
		e.putBulkLogout(bulk.after([]storage.Termination{end}, bulk.Cursor))
	}
}

// finish stores the progress of a bulk logout. It does nothing for a termination that needs only this call, and for
// expired sessions, which the next call selects again without a record.
func (e *endSessionsTx) finish(done []storage.Termination, now time.Time) {
	bulk := e.bulkLogout
	if e.finished || e.Expired || bulk == nil && !e.more {
		return
	}
	if bulk == nil {
		bulk = &bulkLogout{
			BulkLogout:     storage.BulkLogout{Cause: e.cause, Selector: e.Selector, StartedAt: e.At},
			Before:         e.Before,
			OfflineUsers:   e.OfflineSubjects(),
			NotAdmitted:    slices.Sorted(maps.Keys(e.NotAdmitted)),
			RemovedClients: e.removed,
			key:            e.bulkLogoutKey,
		}
	}
	next := bulk.after(done, e.cursor)
	if !e.more {
		if now.Before(e.At) {
			now = e.At
		}
		next.Finished = now
		e.scheduleExpiry(now.Add(bulkLogoutRetention), expiryBulkLogout, []byte(e.bulkLogoutKey))
	}
	e.putBulkLogout(next)
}

// after returns a copy of the bulk logout that also counts these terminations.
func (bulk *bulkLogout) after(done []storage.Termination, cursor []byte) *bulkLogout {
	next := *bulk
	next.Cursor = cursor
	for _, end := range done {
		next.Done = next.Done.Add(storage.CountTermination(end, storage.Selection{}))
		for _, g := range end.Grants {
			if g.Offline() {
				next.OfflineDone++
			}
		}
	}
	return next.restore(bulk.key)
}
