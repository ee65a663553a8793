package postgres

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

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
	timeout := s.options.Timeout
	if (storage.Selection{Selector: req.Selector}).SpansAllUsers() || req.Selector.Expired {
		timeout = bulkTimeout
	}
	out, err := writeWithin(ctx, s, timeout, func(t *tx) (result, error) {
		e := newEndSessions(t, storage.Selection{Selector: req.Selector, At: truncate(at)})
		e.cause, e.change = req.Cause, req.Change
		if e.Expired {
			e.findExpired(limit)
			if len(e.candidates.Sessions) == 0 && reflect.ValueOf(req.Change).IsZero() {
				return result{}, nil
			}
		}
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

// endSessionsTx is one call of EndSessions: begin locks, and checks the change; read collects what ends as it is before
// the change; write changes and removes.
type endSessionsTx struct {
	*tx
	storage.Selection
	candidates    storage.Selection // the sessions to look at
	cause         storage.Cause
	change        storage.Change
	oldUser       storage.User          // whom Change.User replaces
	oldClient     *storage.Client       // what Change.Client or RemoveClient replaces or removes
	removed       []storage.Client      // the client that the change removes, as it was before
	unfinished    unfinishedBulkLogouts // the bulk logouts that are not finished
	bulkLogout    *bulkLogout           // the one that this call continues
	bulkLogoutKey string
	finished      bool   // that bulk logout is finished: nothing is selected
	cursor        string // how far the sessions have been read
	terminations  []storage.Termination
	more          bool
}

func newEndSessions(t *tx, sel storage.Selection) *endSessionsTx {
	sel.OfflineUsers = map[string]bool{}
	return &endSessionsTx{tx: t, Selection: sel, candidates: sel}
}

// begin takes the locks, checks the change, and finds the bulk logout that the call continues.
func (e *endSessionsTx) begin() (err error) {
	if e.bulkLogoutKey, err = bulkLogoutKey(e.Selector, e.cause, e.At); err != nil {
		return err
	}
	e.lockScope()
	// Locked, so that their numbers are counted by one transaction at a time.
	e.queueQuery(
		`SELECT record FROM @bulk_logouts WHERE finished IS NULL OR key = $1 ORDER BY key FOR UPDATE`,
		[]any{e.bulkLogoutKey},
		func(rows pgx.Rows) error {
			var value []byte
			err := rows.Scan(&value)
			bulk := decodeBulkLogout(e.tx, value)
			if bulk.Finished.IsZero() {
				e.unfinished = append(e.unfinished, bulk)
			}
			if bulk.Key == e.bulkLogoutKey {
				e.bulkLogout = bulk
			}
			return err
		},
	)
	if err := e.checkChange(); err != nil {
		return err
	}
	e.lockState()
	e.flush()
	if bulk := e.bulkLogout; bulk != nil {
		e.continueBulkLogout(bulk)
		return nil
	}
	e.findOfflineUsers()
	return nil
}

// continueBulkLogout makes the call a part of a bulk logout.
func (e *endSessionsTx) continueBulkLogout(bulk *bulkLogout) {
	e.bulkLogout, e.Selection, e.candidates = bulk, bulk.selection, bulk.selection
	e.finished, e.cursor = !bulk.Finished.IsZero(), bulk.Cursor
}

// findExpired finds the sessions that are past their deadline, one more than limit, the earliest deadline first. Only
// their gates are locked.
func (e *endSessionsTx) findExpired(limit int) {
	if limit <= 0 {
		limit = 1<<31 - 2
	}
	e.candidates = storage.Selection{}
	e.query(
		`SELECT id FROM @sessions WHERE deadline <= $1 ORDER BY deadline, id LIMIT $2`,
		[]any{millis(e.At), limit + 1},
		func(rows pgx.Rows) error {
			var id string
			err := rows.Scan(&id)
			e.candidates.Sessions = append(e.candidates.Sessions, storage.SessionID(id))
			return err
		},
	)
}

// lockScope locks the gates of all users whom the selector or the change may concern.
func (e *endSessionsTx) lockScope() {
	// The sessions of an upstream may belong to any user, and one may be under way.
	ofUpstream := !e.Upstream.IsZero()
	if e.SpansAllUsers() || ofUpstream || e.change.Client != nil || e.change.RemoveClient != "" {
		e.lockAllGates()
		return
	}
	gates := []int16{}
	for _, subject := range []string{
		e.Subject, e.change.RemoveUser, e.change.RemoveLinks, e.change.ForgetBrowsers,
	} {
		if subject != "" {
			gates = append(gates, gateOf(subject))
		}
	}
	if e.change.User != nil {
		gates = append(gates, gateOf(e.change.User.Subject))
	}
	if e.change.Factors != nil {
		gates = append(gates, gateOf(e.change.Factors.Subject))
	}
	if e.change.Unlink != nil {
		gates = append(gates, gateOf(e.change.Unlink.User))
	}
	if e.change.NewSession != nil {
		gates = append(gates, gateOf(e.change.NewSession.Subject))
	}
	if e.change.WithdrawConsent != nil {
		gates = append(gates, gateOf(e.change.WithdrawConsent.Subject))
	}
	sessions := sessionIDs(e.candidates.Sessions)
	if e.change.RequireSession != "" {
		sessions = append(sessions, string(e.change.RequireSession))
	}
	e.lock(
		`SELECT n FROM @gates WHERE n = ANY($1)
			OR n IN (SELECT gate FROM @sessions WHERE id = ANY($2)) OR n IN (SELECT gate FROM @grants WHERE id = $3)
		ORDER BY n FOR UPDATE`,
		gates, sessions, e.Grant,
	)
}

// findOfflineUsers finds whose offline grants end where sessions are named by id.
func (e *endSessionsTx) findOfflineUsers() {
	if !e.IncludeOffline || len(e.OfflineUsers) > 0 || len(e.Sessions) == 0 {
		return
	}
	e.query(
		`SELECT record FROM @sessions WHERE id = ANY($1)`,
		[]any{sessionIDs(e.Sessions)},
		func(rows pgx.Rows) error {
			var value []byte
			err := rows.Scan(&value)
			session := decode[storage.Session](e.tx, value)
			if e.IncludesSession(session) && !e.endedByEarlierBulkLogout(session) {
				e.OfflineUsers[session.Subject] = true
			}
			return err
		},
	)
}

// read collects what ends: up to limit sessions, or, when these are done, offline grants.
func (e *endSessionsTx) read(limit int) {
	if e.finished {
		return
	}
	if e.Grant != "" {
		e.readGrant()
		return
	}
	e.readSessions(limit)
	e.completeSessions()
	if !e.more && e.IncludeOffline {
		e.readOfflineGrants(limit)
	}
}

// readGrant collects the grant that ends by itself.
func (e *endSessionsTx) readGrant() {
	var row grantScan
	found := e.queryRow(
		`SELECT `+grantColumns+` FROM @grants g`+grantJoins(`NULL`)+` WHERE g.id = $1`,
		[]any{e.Grant}, row.targets()...,
	)
	if facts := row.decodeFacts(e.tx); found && !facts.unfinished.grantRevoked(facts.Grant, facts.grantedIn) {
		g := facts.Grant
		if !g.Offline() {
			g.Trust.Extend(facts.grantedIn.clientSession.TokenExpiry) // a bound grant has that of its client session
		}
		e.terminations = append(e.terminations, e.grantTermination(g))
		e.completeGrants(0)
	}
}

// readChunk is how many candidates are read at once.
const readChunk = 500

// readSessions collects up to limit sessions, or client sessions, that end.
func (e *endSessionsTx) readSessions(limit int) {
	after := e.cursor
	for n := readChunk; n == readChunk && !e.more && e.err == nil; {
		n = 0
		e.scanCandidates(e.candidates, after, readChunk, func(key string, session storage.Session, _ unfinishedBulkLogouts) {
			n++
			if after = key; !e.more {
				e.readSession(key, session, limit)
			}
		})
	}
}

// readSession collects a session if it ends, or the client sessions of it that end.
func (e *endSessionsTx) readSession(key string, session storage.Session, limit int) {
	if !e.IncludesSession(session) || e.endedByEarlierBulkLogout(session) {
		return
	}
	whole := e.EndsSession(session)
	if !whole {
		session.ClientSessions = slices.DeleteFunc(
			session.ClientSessions,
			func(cs storage.ClientSession) bool { return !e.EndsClientSession(session, cs) },
		)
		if len(session.ClientSessions) == 0 {
			return
		}
	}
	session, ended := e.splitEndedEarlier(session)
	if limit > 0 && len(e.terminations) >= limit {
		e.more = true
		return
	}
	if e.cursor = key; e.Expired {
		e.OfflineUsers[session.Subject] = true
	}
	if whole || len(session.ClientSessions) > 0 {
		e.terminations = append(e.terminations, e.sessionTermination(session, whole))
	}
	e.terminations = append(e.terminations, ended...)
}

// readOfflineGrants collects up to limit offline grants that end by themselves.
func (e *endSessionsTx) readOfflineGrants(limit int) {
	collected := map[string]bool{}
	for _, end := range e.terminations {
		for _, g := range end.Grants {
			collected[g.ID] = true
		}
	}
	first := len(e.terminations)
	e.scanOfflineGrants(e.Selection, func(g storage.Grant) (goOn bool) {
		if collected[g.ID] || !e.EndsOfflineGrant(g) || e.offlineGrantEndedEarlier(g) {
			return true
		}
		if limit > 0 && len(e.terminations) >= limit {
			e.more = true
			return false
		}
		e.terminations = append(e.terminations, e.grantTermination(g))
		return true
	})
	e.completeGrants(first)
}

// scanOfflineGrants reads the offline grants that sel may take, until visit returns false. What sel does take,
// storage.Selection decides.
func (t *tx) scanOfflineGrants(sel storage.Selection, visit func(storage.Grant) (goOn bool)) {
	after, goOn := "", true
	for n := readChunk; n == readChunk && goOn && t.err == nil; {
		n = 0
		t.query(
			`SELECT record FROM @grants WHERE session IS NULL AND id > $1
				AND ($2 = '' OR client = $2) AND ($3 OR subject = ANY($4)) ORDER BY id LIMIT $5`,
			[]any{after, sel.Client, sel.SpansAllUsers(), sel.OfflineSubjects(), readChunk},
			func(rows pgx.Rows) error {
				var value []byte
				err := rows.Scan(&value)
				g := decode[storage.Grant](t, value)
				n++
				after, goOn = g.ID, goOn && visit(g)
				return err
			},
		)
	}
}

// earlierBulkLogout finds a bulk logout under way that matches and began before this termination.
func (e *endSessionsTx) earlierBulkLogout(matches func(*bulkLogout) bool) (*bulkLogout, bool) {
	for _, bulk := range e.unfinished {
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

// splitEndedEarlier takes the client sessions out of a session that a bulk logout under way has ended and not removed
// yet. They stand by themselves, with the cause of that bulk logout, a report and a delivery of their own: the client
// may have joined the session again since.
func (e *endSessionsTx) splitEndedEarlier(session storage.Session) (rest storage.Session, ended []storage.Termination) {
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
		if c := bulk.removedClient(cs.Client); c != nil {
			end.Clients[cs.Client] = c
		}
		ended = append(ended, end)
	}
	return session, ended
}
