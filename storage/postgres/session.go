package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-id/curfew/storage"
)

// clientSessionsColumn is the SQL expression for the client sessions of the session s, in the order in which they
// joined it.
const clientSessionsColumn = `ARRAY(
	SELECT cs.record FROM @client_sessions cs WHERE cs.session = s.id ORDER BY cs.joined, cs.client)`

// sessionColumns are the columns that scanSession reads.
const sessionColumns = `s.record, ` + clientSessionsColumn + `, ` + unfinishedColumn

// scanSession reads sessionColumns.
func (t *tx) scanSession(rows pgx.Rows) (session storage.Session, bulk unfinishedBulkLogouts, err error) {
	var value []byte
	var clientSessions, bulkLogouts [][]byte
	err = rows.Scan(&value, &clientSessions, &bulkLogouts)
	session = decode[storage.Session](t, value)
	session.ClientSessions = decodeAll[storage.ClientSession](t, clientSessions)
	return session, decodeUnfinished(t, bulkLogouts), err
}

// activeSession reads the session for which condition holds, with its active client sessions. ok is false if there is
// no such session or it is not active at that time.
func (t *tx) activeSession(condition string, arg any, at time.Time) (active storage.Session, ok bool) {
	t.query(
		`SELECT `+sessionColumns+` FROM @sessions s WHERE `+condition,
		[]any{arg},
		func(rows pgx.Rows) error {
			session, bulk, err := t.scanSession(rows)
			active, ok = bulk.activeSession(session, at)
			return err
		},
	)
	return active, ok && t.err == nil
}

// CreateSession implements storage.Sessions.
func (s *Store) CreateSession(ctx context.Context, session storage.Session, e storage.Event) error {
	return s.update(ctx, func(t *tx) error {
		t.lockGates(gateOf(session.Subject))
		t.lockState()
		if err := t.checkSession(&session); err != nil {
			return fmt.Errorf("create session: %w", err)
		}
		t.addSession(session)
		t.appendEvent(e)
		return nil
	})
}

// Reauthenticate implements storage.Sessions.
func (s *Store) Reauthenticate(
	ctx context.Context,
	id storage.SessionID,
	a storage.Authentication,
	at time.Time,
	e storage.Event,
) (storage.Session, error) {
	at = truncate(at)
	return write(ctx, s, func(t *tx) (storage.Session, error) {
		t.lockGateOfSession(string(id))
		t.lockState()
		var enabled, secretTaken bool
		t.queueQuery(
			`SELECT EXISTS (
					SELECT FROM @sessions s JOIN @users u ON u.subject = s.subject WHERE s.id = $1 AND u.enabled),
				EXISTS (SELECT FROM @sessions WHERE secret = $2 AND id <> $1)`,
			[]any{string(id), a.SecretHash[:]},
			func(rows pgx.Rows) error { return rows.Scan(&enabled, &secretTaken) },
		)
		session, ok := t.activeSession(`s.id = $1`, string(id), at)
		switch {
		case !ok || !enabled:
			return session, fmt.Errorf("reauthenticate: %w", storage.ErrRevoked)
		case secretTaken:
			return session, fmt.Errorf("reauthenticate: %w", storage.ErrExists)
		}
		if t.cutOff(a.Upstream.CutoffScopes(), a.Sequence) {
			return session, fmt.Errorf("reauthenticate: %w", storage.ErrRevoked)
		}
		truncateAll(&a.AuthTime, &a.Expires, &a.Upstream.Expires)
		session = session.Reauthenticated(a, at)
		t.updateSession(session)
		t.appendEvent(e)
		return session, nil
	})
}

// SessionBySecret implements storage.Sessions.
func (s *Store) SessionBySecret(ctx context.Context, secret storage.Hash, at time.Time) (storage.Session, error) {
	return read(ctx, s, func(t *tx) (storage.Session, error) {
		session, ok := t.activeSession(`s.secret = $1`, secret[:], at)
		if !ok {
			return session, fmt.Errorf("find session of a cookie: %w", storage.ErrNotFound)
		}
		return session, nil
	})
}

// Session implements storage.Sessions.
func (s *Store) Session(ctx context.Context, id storage.SessionID, at time.Time) (storage.Session, error) {
	return read(ctx, s, func(t *tx) (storage.Session, error) {
		session, ok := t.activeSession(`s.id = $1`, string(id), at)
		if !ok {
			return session, fmt.Errorf("find session: %w", storage.ErrNotFound)
		}
		return session, nil
	})
}

// SessionBySID implements storage.Sessions.
func (s *Store) SessionBySID(
	ctx context.Context,
	sid string,
	at time.Time,
) (session storage.Session, cs storage.ClientSession, err error) {
	session, err = read(ctx, s, func(t *tx) (storage.Session, error) {
		condition := `s.id = (SELECT session FROM @client_sessions WHERE sid = $1)`
		session, ok := t.activeSession(condition, sid, at)
		i := slices.IndexFunc(session.ClientSessions, func(cs storage.ClientSession) bool { return cs.SID == sid })
		if !ok || i < 0 {
			return storage.Session{}, fmt.Errorf("find session by sid: %w", storage.ErrNotFound)
		}
		cs = session.ClientSessions[i]
		return session, nil
	})
	return session, cs, err
}

// Touch implements storage.Sessions. It reads first, because most calls have nothing to write.
func (s *Store) Touch(ctx context.Context, id storage.SessionID, at time.Time) error {
	at = truncate(at)
	session, err := s.Session(ctx, id, at)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return nil
	case err != nil:
		return err
	case !session.NeedsTouch(at):
		return nil
	}
	return s.update(ctx, func(t *tx) error {
		t.lockGateOfSession(string(id))
		if session, ok := t.activeSession(`s.id = $1`, string(id), at); ok && session.NeedsTouch(at) {
			session.LastActive = at
			t.updateSession(session)
		}
		return nil
	})
}

// ListSessions implements storage.Sessions.
func (s *Store) ListSessions(
	ctx context.Context,
	sel storage.Selector,
	at time.Time,
	p storage.Page,
) ([]storage.Session, string, error) {
	selected := storage.Selection{Selector: sel}
	return list(ctx, s, p, func(t *tx, after string, limit int) (chunk []item[storage.Session]) {
		t.scanCandidates(selected, after, limit, func(key string, session storage.Session, bulk unfinishedBulkLogouts) {
			session, ok := bulk.activeSession(session, at)
			chunk = append(chunk, item[storage.Session]{
				key:    key,
				record: session,
				picked: ok && selected.IncludesSession(session) &&
					(sel.Client == "" || session.ClientSession(sel.Client) != nil),
			})
		})
		return chunk
	})
}

// CountSessions implements storage.Sessions.
func (s *Store) CountSessions(ctx context.Context) (int, error) {
	return read(ctx, s, func(t *tx) (n int, err error) {
		t.queryRow(`SELECT count(*) FROM @sessions`, nil, &n)
		return n, nil
	})
}

// scanCandidates reads up to limit sessions that sel may select and that follow the key after, in the order of their
// keys. The caller checks with the methods of sel which of them it selects.
func (t *tx) scanCandidates(
	sel storage.Selection,
	after string,
	limit int,
	visit func(key string, session storage.Session, bulk unfinishedBulkLogouts),
) {
	var condition string
	from, order, args := `@sessions s`, `s.id`, []any{after, limit}
	switch {
	case sel.OfflineOnly:
		return
	case !sel.Upstream.IsZero():
		condition = `s.id > $1 AND (s.upstream_account = $3 OR s.upstream_session = $3)`
		args = append(args, string(sel.Upstream.Scope()))
	case len(sel.Sessions) > 0:
		from = `(SELECT id, min(n) AS n FROM unnest($3::text[]) WITH ORDINALITY AS w (id, n) GROUP BY id) w
			JOIN @sessions s ON s.id = w.id`
		condition, order = `w.n > $1`, `w.n`
		position, _ := strconv.ParseInt(after, 10, 64) // 0 if after is empty: begin with the first session
		args = []any{position, limit, sessionIDs(sel.Sessions)}
	case sel.Subject != "":
		condition = `s.subject = $3 AND s.id > $1`
		args = append(args, sel.Subject)
	case sel.Expired:
		condition = `s.id > $1 AND s.deadline <= $3`
		args = append(args, millis(sel.At))
	case sel.Client != "":
		condition = `s.id > $1 AND s.id IN (SELECT session FROM @client_sessions WHERE client = $3)`
		args = append(args, sel.Client)
	case sel.AllUsers:
		condition = `s.id > $1`
	default:
		return
	}
	t.query(
		`SELECT (`+order+`)::text, `+sessionColumns+` FROM `+from+` WHERE `+condition+` ORDER BY `+order+` LIMIT $2`,
		args,
		func(rows pgx.Rows) error {
			var key string
			var value []byte
			var clientSessions, bulkLogouts [][]byte
			err := rows.Scan(&key, &value, &clientSessions, &bulkLogouts)
			session := decode[storage.Session](t, value)
			session.ClientSessions = decodeAll[storage.ClientSession](t, clientSessions)
			visit(key, session, decodeUnfinished(t, bulkLogouts))
			return err
		},
	)
}

// sessionIDs returns ids as texts.
func sessionIDs(list []storage.SessionID) []string {
	ids := make([]string, len(list))
	for i, id := range list {
		ids[i] = string(id)
	}
	return ids
}

// checkSession returns an error if the session must not begin, and normalizes the session. The caller has locked the
// user's gate and called lockState.
func (t *tx) checkSession(session *storage.Session) error {
	if session.ID == "" || strings.ContainsRune(string(session.ID), 0) {
		return errors.New("a session needs an id without NUL")
	}
	var sids []string
	for _, cs := range session.ClientSessions {
		sids = append(sids, cs.SID)
	}
	scopeSessions, subjects, clients := scopeLists(session.CutoffScopes())
	var cutoffs [][]byte
	var taken, enabled, sidTaken bool
	t.queryRow(
		`SELECT `+cutoffsColumn+`,
			EXISTS (SELECT FROM @sessions WHERE id = $4 OR secret = $5),
			EXISTS (SELECT FROM @users WHERE subject = $6 AND enabled),
			EXISTS (SELECT FROM @client_sessions WHERE sid = ANY($7))`,
		[]any{
			scopeSessions, subjects, clients,
			string(session.ID), session.SecretHash[:], session.Subject, sids,
		},
		&cutoffs, &taken, &enabled, &sidTaken,
	)
	truncateAll(&session.AuthTime, &session.Created, &session.LastActive, &session.Expires, &session.Upstream.Expires)
	switch {
	case taken:
		return storage.ErrExists
	case !enabled, session.Sequence < t.state.swept.Cutoff, isCutOff(t, cutoffs, "", session.Sequence):
		return storage.ErrRevoked
	case sidTaken || slices.ContainsFunc(sids, isUnusableSID):
		return fmt.Errorf("sid of a client session: %w", storage.ErrExists)
	}
	return nil
}

// isUnusableSID reports whether a sid cannot be stored.
func isUnusableSID(sid string) bool { return sid == "" || strings.ContainsRune(sid, 0) }

// addSession stores a new session, which checkSession has checked.
func (t *tx) addSession(session storage.Session) {
	session.Sequence = t.sequence()
	t.exec(
		insertSession,
		string(session.ID), gateOf(session.Subject), session.SecretHash[:], session.Subject,
		millis(session.Deadline()), t.encode(session), accountScope(session), upstreamScope(session),
	)
	for _, cs := range session.ClientSessions {
		cs.Sequence = session.Sequence
		t.addClientSession(session.ID, cs)
	}
}

// updateSession stores changes of an existing session.
func (t *tx) updateSession(session storage.Session) {
	t.exec(
		`UPDATE @sessions SET secret = $2, deadline = $3, record = $4, upstream_account = $5, upstream_session = $6
		WHERE id = $1`,
		string(session.ID), session.SecretHash[:], millis(session.Deadline()), t.encode(session),
		accountScope(session), upstreamScope(session),
	)
}

// insertSession inserts a session.
const insertSession = `INSERT INTO
	@sessions (id, gate, secret, subject, deadline, record, upstream_account, upstream_session)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`

// accountScope returns the column upstream_account of a session.
func accountScope(session storage.Session) *string {
	return scopeColumn(storage.UpstreamSelector{Issuer: session.Upstream.Issuer, Subject: session.Upstream.Subject})
}

// upstreamScope returns the column upstream_session of a session.
func upstreamScope(session storage.Session) *string {
	if session.Upstream.SID == "" {
		return nil
	}
	return scopeColumn(storage.UpstreamSelector{Issuer: session.Upstream.Issuer, SID: session.Upstream.SID})
}

// scopeColumn returns the scope of a selector, or NULL without an upstream.
func scopeColumn(u storage.UpstreamSelector) *string {
	if u.Issuer == "" {
		return nil
	}
	scope := string(u.Scope())
	return &scope
}

// addClientSession stores a new client session.
func (t *tx) addClientSession(id storage.SessionID, cs storage.ClientSession) {
	t.exec(
		`INSERT INTO @client_sessions (sid, session, client, joined, record) VALUES ($1, $2, $3, $4, $5)`,
		cs.SID, string(id), cs.Client, millis(cs.Joined), t.encode(cs),
	)
}

// updateClientSession stores changes of an existing client session.
func (t *tx) updateClientSession(cs storage.ClientSession) {
	t.exec(`UPDATE @client_sessions SET record = $2 WHERE sid = $1`, cs.SID, t.encode(cs))
}
