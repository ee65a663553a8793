package postgres

import (
	"context"
	"fmt"
	"math"
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
	ended, err := writeWithin(ctx, s, timeout, func(t *tx) (result, error) {
		e := newEndSessions(t, storage.Selection{Selector: req.Selector, At: truncate(at)})
		e.cause = req.Cause
		e.change = req.Change
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
	return ended.terminations, ended.more, nil
}

// endSessionsTx is one call of EndSessions, in three steps. begin takes the locks and checks the change. read collects
// the terminations, with the records as they are before the change. write applies the change and removes the records.
type endSessionsTx struct {
	*tx
	storage.Selection
	candidates    storage.Selection // selects the sessions to read
	cause         storage.Cause
	change        storage.Change
	oldUser       storage.User          // the user that Change.User replaces
	oldClient     *storage.Client       // the client that Change.Client replaces or Change.RemoveClient removes
	removed       []storage.Client      // the client that the change removes, as it was before
	unfinished    unfinishedBulkLogouts // all unfinished bulk logouts
	bulkLogout    *bulkLogout           // the bulk logout that this call continues
	bulkLogoutKey string
	finished      bool   // bulkLogout is finished, so this call ends nothing
	cursor        string // key of the last session that was read
	terminations  []storage.Termination
	more          bool
}

func newEndSessions(t *tx, sel storage.Selection) *endSessionsTx {
	sel.OfflineUsers = map[string]bool{}
	sel.NotAdmitted = map[string]bool{}
	return &endSessionsTx{tx: t, Selection: sel, candidates: sel}
}

// begin takes the locks, checks the change, and finds the bulk logout that the call continues.
func (e *endSessionsTx) begin() (err error) {
	if e.bulkLogoutKey, err = bulkLogoutKey(e.Selector, e.cause, e.At); err != nil {
		return err
	}
	e.lockScope()
	// The bulk logouts are locked, so that one transaction at a time increases their counts.
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
	e.findNotAdmitted()
	return nil
}

// continueBulkLogout makes the call continue a bulk logout.
func (e *endSessionsTx) continueBulkLogout(bulk *bulkLogout) {
	e.bulkLogout = bulk
	e.Selection = bulk.selection
	e.candidates = bulk.selection
	e.finished = !bulk.Finished.IsZero()
	e.cursor = bulk.Cursor
}

// findExpired sets candidates to at most limit+1 expired sessions, the earliest deadline first. It does so before the
// locks, so that lockScope locks only the gates of these sessions.
func (e *endSessionsTx) findExpired(limit int) {
	if limit <= 0 {
		limit = math.MaxInt32 - 1
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

// lockScope locks the gates of all users whose records the termination or the change may concern.
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
	for _, i := range e.change.Unlink {
		gates = append(gates, gateOf(i.User))
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

// findOfflineUsers finds the users whose offline grants end, if the selector names sessions by id.
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

// read collects up to limit terminations: of sessions or, if no more sessions end, of offline grants.
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

// readGrant collects the termination of the grant that the selector names.
func (e *endSessionsTx) readGrant() {
	var row grantScan
	found := e.queryRow(
		`SELECT `+grantColumns+` FROM @grants g`+grantJoins(`NULL`)+` WHERE g.id = $1`,
		[]any{e.Grant}, row.targets()...,
	)
	if facts := row.decodeFacts(e.tx); found && !facts.unfinishedLogouts.grantRevoked(facts.grant, facts.grantedIn) {
		g := facts.grant
		if !g.Offline() {
			g.Trust.Extend(facts.grantedIn.clientSession.TokenExpiry) // its tokens are recorded in the client session
		}
		e.terminations = append(e.terminations, e.grantTermination(g))
		e.completeGrants(0)
	}
}

// readChunk is how many sessions or grants one query reads.
const readChunk = 500

// readSessions collects the terminations of up to limit sessions or client sessions.
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

// readSession collects the termination of a session or of those of its client sessions that end.
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
	e.cursor = key
	if e.Expired {
		e.OfflineUsers[session.Subject] = true
	}
	if whole || len(session.ClientSessions) > 0 {
		e.terminations = append(e.terminations, e.sessionTermination(session, whole))
	}
	e.terminations = append(e.terminations, ended...)
}

// readOfflineGrants collects the terminations of up to limit offline grants that end without a session.
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

// scanOfflineGrants reads the offline grants that sel may select, until visit returns false. The caller checks with the
// methods of sel which of them it selects.
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
				after = g.ID
				goOn = goOn && visit(g)
				return err
			},
		)
	}
}

// earlierBulkLogout finds an unfinished bulk logout that matches and that began before this termination.
func (e *endSessionsTx) earlierBulkLogout(matches func(*bulkLogout) bool) (*bulkLogout, bool) {
	for _, bulk := range e.unfinished {
		if (e.Before == 0 || bulk.Before < e.Before) && matches(bulk) {
			return bulk, true
		}
	}
	return nil, false
}

// endedByEarlierBulkLogout reports whether an earlier bulk logout has ended a session and will remove its record.
func (e *endSessionsTx) endedByEarlierBulkLogout(session storage.Session) bool {
	_, ok := e.earlierBulkLogout(func(bulk *bulkLogout) bool { return bulk.selection.EndsSession(session) })
	return ok
}

// offlineGrantEndedEarlier reports whether an earlier bulk logout has ended an offline grant and will remove its
// record.
func (e *endSessionsTx) offlineGrantEndedEarlier(g storage.Grant) bool {
	_, ok := e.earlierBulkLogout(func(bulk *bulkLogout) bool { return bulk.selection.EndsOfflineGrant(g) })
	return ok
}

// splitEndedEarlier splits off the client sessions of a session that an earlier bulk logout has ended and not removed
// yet. Each gets a termination of its own, with the cause of that bulk logout. So it gets its own report and delivery:
// the client may have joined the session again since.
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
