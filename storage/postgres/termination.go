package postgres

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-id/curfew/storage"
)

// termination.go collects and removes the records that end together with a session, client session or grant.

// sessionTermination returns the termination of a session or, unless whole is set, of the client sessions in session.
// completeSessions adds grants, clients and the user.
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

// grantTermination returns the termination of a grant that ends by itself. completeGrants adds the client and the user.
func (e *endSessionsTx) grantTermination(g storage.Grant) storage.Termination {
	return storage.Termination{
		Cause:   e.cause,
		EndedAt: e.At,
		Grants:  []storage.Grant{g},
		Clients: map[string]*storage.Client{},
	}
}

// completeSessions adds grants, clients and users to the terminations of sessions. It reads the records for all
// terminations in one round trip.
func (e *endSessionsTx) completeSessions() {
	if len(e.terminations) == 0 || e.err != nil {
		return
	}
	var ids, subjects, clients []string
	for _, end := range e.terminations {
		ids = append(ids, string(end.Session.ID))
		subjects = append(subjects, end.Session.Subject)
		for _, cs := range end.Session.ClientSessions {
			clients = append(clients, cs.Client)
		}
	}
	// A database that was copied from an earlier build may have a session with more than MaxGrants grants. All are
	// revoked with the session. Sweep removes those that are not read here: other writers wait for this transaction.
	var grants []storage.Grant
	e.queueQuery(
		`SELECT g.record FROM unnest($1::text[]) s (id) CROSS JOIN LATERAL
			(SELECT id, record FROM @grants WHERE session = s.id ORDER BY id LIMIT $3) g
		UNION ALL SELECT record FROM @grants WHERE session IS NULL AND subject = ANY($2)`,
		[]any{unique(ids), unique(subjects), storage.MaxGrants + 1}, collect(e.tx, &grants),
	)
	found := e.queueUsersAndClients(unique(subjects), unique(clients))
	e.flush()
	slices.SortFunc(grants, func(a, b storage.Grant) int { return cmp.Compare(a.ID, b.ID) })
	grants = e.leaveToSweep(grants)
	bySID := map[string][]storage.Grant{}
	offlineBySubject := map[string][]storage.Grant{}
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

// leaveToSweep removes a grant of each session that has more than MaxGrants, and makes Sweep remove the grants that the
// termination leaves.
func (e *endSessionsTx) leaveToSweep(grants []storage.Grant) []storage.Grant {
	count := map[storage.SessionID]int{}
	return slices.DeleteFunc(grants, func(g storage.Grant) bool {
		if g.Offline() {
			return false
		}
		count[g.Session]++
		if count[g.Session] <= storage.MaxGrants {
			return false
		}
		e.exec(`INSERT INTO @ended_sessions (id) VALUES ($1) ON CONFLICT DO NOTHING`, string(g.Session))
		return true
	})
}

// addOfflineGrant adds an offline grant of the session's user to a termination, if a client session of its client ends.
// The grant either ends too (Grants) or remains and is only reported (RemainingOffline).
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

// completeGrants adds clients and users to the terminations of grants. These begin at the index first.
func (e *endSessionsTx) completeGrants(first int) {
	list := e.terminations[first:]
	if len(list) == 0 || e.err != nil {
		return
	}
	var subjects, clients []string
	for _, end := range list {
		subjects = append(subjects, end.Grants[0].Subject)
		clients = append(clients, end.Grants[0].Client)
	}
	found := e.queueUsersAndClients(unique(subjects), unique(clients))
	e.flush()
	for i := range list {
		g := list[i].Grants[0]
		list[i].User = found.users[g.Subject]
		e.addClient(&list[i], found, g.Client)
	}
}

// unique sorts list and returns it without duplicates.
func unique(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

// usersAndClients has the users and clients of terminations, as they are before the change.
type usersAndClients struct {
	users   map[string]storage.User
	clients map[string]*storage.Client
}

// queueUsersAndClients queues queries of users and clients. The result is filled by flush.
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

// addClient adds a client to a termination, unless the termination has it already. For a client that was removed since
// the bulk logout began, it adds the record from before the removal. It adds no client that was removed earlier.
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

// keepRemovedClient adds the client that the change removes to the unfinished bulk logouts, which may still notify it.
func (e *endSessionsTx) keepRemovedClient() {
	if e.change.RemoveClient == "" {
		return
	}
	e.removed = append(e.removed, *e.oldClient)
	for i, bulk := range e.unfinished {
		if bulk.removedClient(e.oldClient.ClientID) != nil {
			continue // this is a later client with the same id
		}
		next := *bulk
		next.RemovedClients = append(slices.Clone(bulk.RemovedClients), *e.oldClient)
		e.unfinished[i] = next.restore()
		e.putBulkLogout(e.unfinished[i])
	}
}

// write applies the change, removes the records that end, and stores the reports and deliveries that plan returns.
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

// assignSequence increases the store's sequence for a new termination, and stores its cutoffs. A termination needs no
// sequence if it has no cutoff, is complete after this call, and removes no client.
func (e *endSessionsTx) assignSequence() {
	if e.bulkLogout != nil {
		return // its first call has assigned the sequence
	}
	scopes := e.CutoffScopes()
	continues := e.more && !e.Expired
	if len(scopes) == 0 && !continues && e.change.RemoveClient == "" {
		return
	}
	e.Before = e.nextSequence()
	for _, scope := range scopes {
		e.putCutoff(scope, storage.Cutoff{Sequence: e.Before, Except: e.Except, ExpiresAt: e.At.Add(scope.Lifetime())})
	}
}

// remove removes the records that end. If an offline grant ends and its client session remains, the client session gets
// the grant's token expiry, because the client's own session may last as long as those tokens.
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

// extendClientSessions adds token expiries, by sid, to client sessions. It ignores sids that do not exist.
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

// storePlan stores a plan. auditSeqs are the sequence numbers of the audit lines of its termination.
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

// countForEarlierBulkLogout counts the termination of a client session for the bulk logout that had ended it.
func (e *endSessionsTx) countForEarlierBulkLogout(end storage.Termination) {
	for i, bulk := range e.unfinished {
		if bulk.Cause.ID == end.Cause.ID && (e.Before == 0 || bulk.Before < e.Before) {
			e.unfinished[i] = bulk.advanced([]storage.Termination{end}, bulk.Cursor)
			e.putBulkLogout(e.unfinished[i])
			return
		}
	}
}

// finish stores the progress of a bulk logout.
func (e *endSessionsTx) finish(done []storage.Termination, now time.Time) {
	bulk := e.bulkLogout
	if e.finished || e.Expired {
		return // the next call finds expired sessions without a record
	}
	if bulk == nil && !e.more {
		return // one call has ended everything
	}
	if bulk == nil {
		bulk = &bulkLogout{
			BulkLogout:     storage.BulkLogout{Cause: e.cause, Selector: e.Selector, StartedAt: e.At},
			Before:         e.Before,
			OfflineUsers:   e.OfflineSubjects(),
			NotAdmitted:    slices.Sorted(maps.Keys(e.NotAdmitted)),
			Key:            e.bulkLogoutKey,
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

// advanced returns the bulk logout with the terminations in done counted, and with the new cursor.
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
