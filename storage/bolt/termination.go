package bolt

import (
	"slices"
	"strings"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// ended.go collects and removes what one session, share or grant takes along.

// sessionTermination collects a session, or the shares of it that end, with its grants.
func (e *endSessionsTx) sessionTermination(session storage.Session, whole bool) storage.Termination {
	end := storage.Termination{Cause: e.cause, EndedAt: e.asOf, Session: session, WholeSession: whole, Clients: map[string]*storage.Client{}}
	if e.Expired {
		end.Cause.Reason = session.ExpiryReason()
	}
	end.User, _ = e.user(session.Subject)
	for _, cs := range session.ClientSessions {
		e.addClient(&end, cs.Client)
		end.Grants = append(end.Grants, e.boundGrants(session.ID, cs.SID)...)
	}
	for client := range end.Clients {
		for _, g := range e.offlineGrants(session.Subject, client) {
			switch joined := slices.ContainsFunc(session.ClientSessions, func(cs storage.ClientSession) bool { return cs.SID == g.SID }); {
			case e.IncludeOffline && joined:
				end.Grants = append(end.Grants, g)
			case !e.endsOfflineGrant(g) && e.grantUnexpired(g, e.asOf) && !e.grantRevoked(g):
				end.RemainingOffline = append(end.RemainingOffline, g)
			}
		}
	}
	return end
}

// splitRevoked takes the shares out of a session that a mass ending under way had not come to yet. They ended by that and not by this: with a sid, a
// report and a delivery of their own, beside those of the shares that followed them.
func (e *endSessionsTx) splitRevoked(session storage.Session) (rest storage.Session, revoked []storage.Termination) {
	candidates := session.ClientSessions
	session.ClientSessions = nil
	for _, cs := range candidates {
		index := slices.IndexFunc(e.cache.bulkLogouts, func(bulk *bulkLogout) bool { return bulk.key != e.bulkLogoutKey && bulk.endsClientSession(session, cs) })
		if index < 0 {
			session.ClientSessions = append(session.ClientSessions, cs)
			continue
		}
		single := session
		single.ClientSessions = []storage.ClientSession{cs}
		end := e.sessionTermination(single, false)
		end.Cause, end.EndedAt = e.cache.bulkLogouts[index].Cause, e.cache.bulkLogouts[index].StartedAt
		revoked = append(revoked, end)
	}
	return session, revoked
}

// grantTermination collects a grant that ends by itself. What a bound one gave stands with its membership.
func (e *endSessionsTx) grantTermination(g storage.Grant) storage.Termination {
	if !g.Offline() {
		cs, _ := load[storage.ClientSession](e.tx, sessions, joinKey(string(g.Session), g.SID))
		g.Trust.Extend(cs.TokenExpiry)
	}
	end := storage.Termination{Cause: e.cause, EndedAt: e.asOf, Grants: []storage.Grant{g}, Clients: map[string]*storage.Client{}}
	end.User, _ = e.user(g.Subject)
	e.addClient(&end, g.Client)
	return end
}

// addClient adds a client as it is before the change.
func (e *endSessionsTx) addClient(end *storage.Termination, id string) {
	if c := e.cache.clients[id]; c != nil {
		end.Clients[id] = c
	}
}

// write applies the change, removes what ended, and stores what plan makes of it.
func (e *endSessionsTx) write(plan func(storage.Termination) storage.Plan, now time.Time) {
	e.applyChange(e.change, e.asOf)
	var done storage.TerminationCount
	for _, end := range e.terminations {
		auditSeqs := e.auditTermination(end)
		e.remove(end)
		if plan != nil {
			e.storePlan(plan(end), auditSeqs)
		}
		done = addCounts(done, countTermination(end, selection{}))
	}
	e.finish(done, now)
}

// remove removes what ended.
func (e *endSessionsTx) remove(end storage.Termination) {
	for _, g := range end.Grants {
		e.removeGrant(g)
	}
	if end.WholeSession {
		e.removeSession(end.Session)
		return
	}
	for _, cs := range end.Session.ClientSessions {
		e.removeClientSession(end.Session.ID, cs)
	}
}

// storePlan stores a plan.
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

// finish leaves the fence, or the mass ending that is the fence until it is finished.
func (e *endSessionsTx) finish(done storage.TerminationCount, now time.Time) {
	if e.finished {
		return
	}
	if e.more && !e.Expired {
		bulk := e.bulkLogout
		if bulk == nil {
			bulk = &bulkLogout{BulkLogout: storage.BulkLogout{Cause: e.cause, Selector: e.Selector, StartedAt: e.asOf}}
			for subject := range e.offlineUsers {
				bulk.Users = append(bulk.Users, subject)
			}
		}
		e.saveProgress(bulk, done, time.Time{})
		return
	}
	if e.bulkLogout != nil {
		e.saveProgress(e.bulkLogout, done, now)
		e.scheduleExpiry(now.Add(bulkLogoutRetention), expiryBulkLogout, []byte(e.bulkLogoutKey))
	}
	e.putCutoffs(e.selection, now)
}

// saveProgress stores how far a mass ending has come.
func (e *endSessionsTx) saveProgress(bulk *bulkLogout, done storage.TerminationCount, finished time.Time) {
	next := &bulkLogout{BulkLogout: bulk.BulkLogout, Users: bulk.Users, Cursor: e.cursor}
	next.Done, next.Finished = addCounts(bulk.Done, done), finished
	e.putBulkLogout(next.restore([]byte(e.bulkLogoutKey)))
}

// auditTermination writes a line for what ended, and one for each offline grant that it took along.
func (e *endSessionsTx) auditTermination(end storage.Termination) (auditSeqs []uint64) {
	if session := end.Session; session.ID != "" {
		event := storage.Event{
			At: end.EndedAt, Kind: "client_session.ended", Reason: end.Cause.Reason, Cause: end.Cause.ID, By: end.Cause.By, Address: end.Cause.Address,
			Subject: session.Subject, Session: storage.SessionHash(session.ID),
		}
		if end.WholeSession {
			event.Kind, event.Client = "session.ended", end.Cause.Client
			if len(session.ClientSessions) > 0 {
				event.Detail = map[string]string{"clients": clientIDs(session)}
			}
		} else {
			event.Client = session.ClientSessions[0].Client
		}
		auditSeqs = append(auditSeqs, e.appendEvent(event))
	}
	for _, g := range end.Grants {
		if g.Offline() || end.Session.ID == "" {
			auditSeqs = append(auditSeqs, e.appendEvent(grantEndedEvent(g, end.Cause, end.EndedAt)))
		}
	}
	return auditSeqs
}

func clientIDs(session storage.Session) string {
	list := make([]string, len(session.ClientSessions))
	for i, cs := range session.ClientSessions {
		list[i] = cs.Client
	}
	slices.Sort(list)
	return strings.Join(slices.Compact(list), " ")
}

// countTermination counts one ending. Offline grants that c ends by themselves are left out, since they are counted one by one.
func countTermination(end storage.Termination, sel selection) (n storage.TerminationCount) {
	if end.WholeSession {
		n.Sessions = 1
	}
	n.ClientSessions = len(end.Session.ClientSessions)
	for _, cs := range end.Session.ClientSessions {
		if client := end.Clients[cs.Client]; client != nil && client.BackchannelLogoutURI != "" {
			n.Deliveries++
		}
	}
	for _, g := range end.Grants {
		if !g.Offline() || !sel.endsOfflineGrant(g) {
			n.Grants++
		}
	}
	return n
}

func addCounts(a, b storage.TerminationCount) storage.TerminationCount {
	return storage.TerminationCount{
		Sessions: a.Sessions + b.Sessions, ClientSessions: a.ClientSessions + b.ClientSessions,
		Deliveries: a.Deliveries + b.Deliveries, Grants: a.Grants + b.Grants,
	}
}
