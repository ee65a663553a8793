package postgres

import (
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-id/curfew/storage"
)

// termination.go collects and removes what ends together with one session, client session or grant.

// sessionTermination collects a session, or the client sessions of it that end; completeSessions adds the rest.
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
	return end
}

// grantTermination collects a grant that ends by itself; completeGrants adds the rest.
func (e *endSessionsTx) grantTermination(g storage.Grant) storage.Termination {
	return storage.Termination{
		Cause:   e.cause,
		EndedAt: e.At,
		Grants:  []storage.Grant{g},
		Clients: map[string]*storage.Client{},
	}
}

// completeSessions adds grants, clients and users to terminations of sessions. It reads those of all terminations
// together.
func (e *endSessionsTx) completeSessions() {
	if len(e.terminations) == 0 || e.err != nil {
		return
	}
	var ids, subjects, clients []string
	for _, end := range e.terminations {
		ids, subjects = append(ids, string(end.Session.ID)), append(subjects, end.Session.Subject)
		for _, cs := range end.Session.ClientSessions {
			clients = append(clients, cs.Client)
		}
	}
	var grants []storage.Grant
	e.queueQuery(
		`SELECT record FROM @grants WHERE session = ANY($1) OR session IS NULL AND subject = ANY($2) ORDER BY id`,
		[]any{unique(ids), unique(subjects)}, collect(e.tx, &grants),
	)
	found := e.queueUsersAndClients(unique(subjects), unique(clients))
	e.flush()
	bySID, offlineBySubject := map[string][]storage.Grant{}, map[string][]storage.Grant{}
	for _, g := range grants {
		if g.Offline() {
			offlineBySubject[g.Subject] = append(offlineBySubject[g.Subject], g)
		} else {
			bySID[g.SID] = append(bySID[g.SID], g)
		}
	}
	for i := range e.terminations {
		end := &e.terminations[i]
		end.User = found.users[end.Session.Subject]
		for _, cs := range end.Session.ClientSessions {
			e.addClient(end, found, cs.Client)
			end.Grants = append(end.Grants, bySID[cs.SID]...)
		}
		for _, g := range offlineBySubject[end.Session.Subject] {
			e.addOfflineGrant(end, g)
		}
	}
}

// addOfflineGrant adds an offline grant of the session's user to a termination, if its client takes part: it ends too,
// or it stays and is mentioned.
func (e *endSessionsTx) addOfflineGrant(end *storage.Termination, g storage.Grant) {
	if end.Clients[g.Client] == nil || e.offlineGrantEndedEarlier(g) {
		return
	}
	joined := slices.ContainsFunc(
		end.Session.ClientSessions,
		func(cs storage.ClientSession) bool { return cs.SID == g.SID },
	)
	switch {
	case e.IncludeOffline && joined:
		end.Grants = append(end.Grants, g)
	case !e.EndsOfflineGrant(g) && g.UnexpiredAt(e.At):
		end.RemainingOffline = append(end.RemainingOffline, g)
	}
}

// completeGrants adds clients and users to terminations of grants, from the one with that index on.
func (e *endSessionsTx) completeGrants(first int) {
	list := e.terminations[first:]
	if len(list) == 0 || e.err != nil {
		return
	}
	var subjects, clients []string
	for _, end := range list {
		subjects, clients = append(subjects, end.Grants[0].Subject), append(clients, end.Grants[0].Client)
	}
	found := e.queueUsersAndClients(unique(subjects), unique(clients))
	e.flush()
	for i := range list {
		g := list[i].Grants[0]
		list[i].User = found.users[g.Subject]
		e.addClient(&list[i], found, g.Client)
	}
}

// unique returns a list of texts, each once.
func unique(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

// usersAndClients are the users and clients that terminations name, as they are before the change.
type usersAndClients struct {
	users   map[string]storage.User
	clients map[string]*storage.Client
}

// queueUsersAndClients asks for users and clients; they are there after flush.
func (t *tx) queueUsersAndClients(subjects, clients []string) *usersAndClients {
	found := &usersAndClients{users: map[string]storage.User{}, clients: map[string]*storage.Client{}}
	t.queueQuery(`SELECT record FROM @users WHERE subject = ANY($1)`, []any{subjects}, func(rows pgx.Rows) error {
		var value []byte
		err := rows.Scan(&value)
		u := decode[storage.User](t, value)
		found.users[u.Subject] = u
		return err
	})
	t.queueQuery(`SELECT record FROM @clients WHERE id = ANY($1)`, []any{clients}, func(rows pgx.Rows) error {
		var value []byte
		err := rows.Scan(&value)
		c := decode[storage.Client](t, value)
		found.clients[c.ClientID] = &c
		return err
	})
	return found
}

// addClient adds a client to a termination, unless it is there. A client that was removed while the bulk logout was
// under way is the removed one; one that was removed before is missing.
func (e *endSessionsTx) addClient(end *storage.Termination, found *usersAndClients, id string) {
	c := found.clients[id]
	if e.bulkLogout != nil {
		if removed := e.bulkLogout.removedClient(id); removed != nil {
			c = removed
		}
	}
	if c != nil && end.Clients[id] == nil {
		end.Clients[id] = c
	}
}

// keepRemovedClient keeps the client that the change removes in the bulk logouts that are under way.
func (e *endSessionsTx) keepRemovedClient() {
	if e.change.RemoveClient == "" {
		return
	}
	e.removed = append(e.removed, *e.oldClient)
	for i, bulk := range e.unfinished {
		if bulk.removedClient(e.oldClient.ClientID) != nil {
			continue // it is a later client with the same id
		}
		next := *bulk
		next.RemovedClients = append(slices.Clone(bulk.RemovedClients), *e.oldClient)
		e.unfinished[i] = next.restore()
		e.putBulkLogout(e.unfinished[i])
	}
}

// write applies the change, removes what ended, and stores what plan makes of it.
func (e *endSessionsTx) write(plan func(storage.Termination) storage.Plan, now time.Time) {
	e.assignSequence()
	e.keepRemovedClient()
	e.applyChange()
	e.remove()
	var done []storage.Termination
	for _, end := range e.terminations {
		var auditSeqs []uint64
		for _, event := range end.Events() {
			auditSeqs = append(auditSeqs, e.appendEvent(event))
		}
		if plan != nil {
			e.storePlan(plan(end), auditSeqs)
		}
		if end.Cause.ID != e.cause.ID {
			e.countForEarlierBulkLogout(end)
		} else {
			done = append(done, end)
		}
	}
	e.finish(done, now)
}

// assignSequence gives a new termination its place in the store's order, and leaves its cutoffs. A termination needs
// none that leaves no cutoff, does not go on in further calls, and removes no client.
func (e *endSessionsTx) assignSequence() {
	scopes := e.CutoffScopes()
	goesOn := e.more && !e.Expired
	if e.bulkLogout != nil || len(scopes) == 0 && !goesOn && e.change.RemoveClient == "" {
		return
	}
	e.Before = e.nextSequence()
	for _, scope := range scopes {
		e.putCutoff(scope, storage.Cutoff{Sequence: e.Before, Except: e.Except, ExpiresAt: e.At.Add(scope.Lifetime())})
	}
}

// remove removes what ended. The token expiry of offline access moves to its client session, where that goes on,
// because the client's own session may depend on it.
func (e *endSessionsTx) remove() {
	var grants, sids, whole, extendedSIDs []string
	expiry := map[string]storage.TokenExpiry{}
	for _, end := range e.terminations {
		for _, g := range end.Grants {
			grants = append(grants, g.ID)
			if g.Offline() {
				extended := expiry[g.SID]
				extended.Extend(g.Trust)
				expiry[g.SID] = extended
			}
		}
		for _, cs := range end.Session.ClientSessions {
			sids = append(sids, cs.SID)
		}
		if end.WholeSession {
			whole = append(whole, string(end.Session.ID))
		}
	}
	for sid := range expiry {
		extendedSIDs = append(extendedSIDs, sid)
	}
	e.removeGrants(grants)
	if len(sids) > 0 {
		e.exec(`DELETE FROM @client_sessions WHERE sid = ANY($1)`, sids)
	}
	if len(whole) > 0 {
		e.exec(`DELETE FROM @sessions WHERE id = ANY($1)`, whole)
	}
	e.extendClientSessions(extendedSIDs, expiry)
}

// extendClientSessions moves the token expiry of client sessions forward, where they are there.
func (t *tx) extendClientSessions(sids []string, expiry map[string]storage.TokenExpiry) {
	if len(sids) == 0 {
		return
	}
	for _, cs := range queryRecords[storage.ClientSession](
		t, `SELECT record FROM @client_sessions WHERE sid = ANY($1)`, unique(sids),
	) {
		cs.TokenExpiry.Extend(expiry[cs.SID])
		t.updateClientSession(cs)
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

// countForEarlierBulkLogout counts a client session for the bulk logout that had ended it.
func (e *endSessionsTx) countForEarlierBulkLogout(end storage.Termination) {
	for i, bulk := range e.unfinished {
		if bulk.Cause.ID == end.Cause.ID && (e.Before == 0 || bulk.Before < e.Before) {
			e.unfinished[i] = bulk.advanced([]storage.Termination{end}, bulk.Cursor)
			e.putBulkLogout(e.unfinished[i])
			return
		}
	}
}

// finish stores how far a bulk logout has come.
func (e *endSessionsTx) finish(done []storage.Termination, now time.Time) {
	bulk := e.bulkLogout
	switch {
	case e.finished, e.Expired, bulk == nil && !e.more: // nothing goes on, or what has expired is found again
		return
	case bulk == nil:
		bulk = &bulkLogout{
			BulkLogout:   storage.BulkLogout{Cause: e.cause, Selector: e.Selector, StartedAt: e.At},
			Before:       e.Before,
			OfflineUsers: e.OfflineSubjects(),
			Key:          e.bulkLogoutKey,

			RemovedClients: e.removed,
		}
	}
	next := bulk.advanced(done, e.cursor)
	if !e.more {
		if now.Before(e.At) {
			now = e.At
		}
		next.Finished = now
	}
	e.putBulkLogout(next)
}

// advanced returns the bulk logout after these terminations.
func (bulk *bulkLogout) advanced(done []storage.Termination, cursor string) *bulkLogout {
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
	return next.restore()
}
