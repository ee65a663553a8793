package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-id/curfew/storage"
)

// clientSessionRecords has the records of a client session and of its session.
type clientSessionRecords struct {
	found         bool
	session       storage.Session
	clientSession storage.ClientSession
}

// grantFacts has a grant and the records on which it depends whether the grant is active.
type grantFacts struct {
	grant             storage.Grant
	exists            bool // the grant is in the store
	userEnabled       bool
	clientEnabled     bool
	admitted          bool                 // storage.Client.Admits the user
	grantedIn         clientSessionRecords // the client session in which it was given
	tokenIssuedIn     clientSessionRecords // the client session to which the token in question was given
	unfinishedLogouts unfinishedBulkLogouts
}

// grantColumns are the columns of grantScan. They need the joins of grantJoins.
var grantColumns = `g.record, coalesce(gu.enabled, false), coalesce(gc.enabled, false),
	coalesce(` + admits(`gc`, `gu`) + `, false),
	gcs.record, gs.record, tcs.record, ts.record, ` + unfinishedColumn

// noToken is the argument of grantJoins if no token is looked up.
const noToken = `NULL`

// grantJoins returns the joins for grantColumns to the grant g. sid is the SQL expression for the sid under which a
// token was issued, or noToken.
func grantJoins(sid string) string {
	return `
	LEFT JOIN @users gu ON gu.subject = g.subject
	LEFT JOIN @clients gc ON gc.id = g.client
	LEFT JOIN @client_sessions gcs ON gcs.sid = g.sid
	LEFT JOIN @sessions gs ON gs.id = gcs.session
	LEFT JOIN @client_sessions tcs ON tcs.sid = ` + sid + `
	LEFT JOIN @sessions ts ON ts.id = tcs.session`
}

// grantScan has the variables into which grantColumns are scanned.
type grantScan struct {
	grant              []byte
	userEnabled        bool
	clientEnabled      bool
	admitted           bool
	givenClientSession []byte
	givenSession       []byte
	tokenClientSession []byte
	tokenSession       []byte
	bulkLogouts        [][]byte
}

// targets returns the variables in the order of grantColumns.
func (g *grantScan) targets() []any {
	return []any{
		&g.grant,
		&g.userEnabled,
		&g.clientEnabled,
		&g.admitted,
		&g.givenClientSession,
		&g.givenSession,
		&g.tokenClientSession,
		&g.tokenSession,
		&g.bulkLogouts,
	}
}

// decodeFacts decodes the scanned columns.
func (g *grantScan) decodeFacts(t *tx) grantFacts {
	return grantFacts{
		grant:             decode[storage.Grant](t, g.grant),
		exists:            g.grant != nil,
		userEnabled:       g.userEnabled,
		clientEnabled:     g.clientEnabled,
		admitted:          g.admitted,
		grantedIn:         decodeClientSession(t, g.givenSession, g.givenClientSession),
		tokenIssuedIn:     decodeClientSession(t, g.tokenSession, g.tokenClientSession),
		unfinishedLogouts: decodeUnfinished(t, g.bulkLogouts),
	}
}

func decodeClientSession(t *tx, session, clientSession []byte) clientSessionRecords {
	return clientSessionRecords{
		found:         session != nil && clientSession != nil,
		session:       decode[storage.Session](t, session),
		clientSession: decode[storage.ClientSession](t, clientSession),
	}
}

// activeApartFromSession reports whether a grant would be active if its session is.
func (f *grantFacts) activeApartFromSession(at time.Time) bool {
	return f.exists &&
		f.grant.UnexpiredAt(at) &&
		f.userEnabled &&
		f.clientEnabled &&
		f.admitted &&
		!f.unfinishedLogouts.grantRevoked(f.grant, f.grantedIn)
}

// active reports whether a grant is active. A grant that is bound to a session needs an active session.
func (f *grantFacts) active(at time.Time) bool {
	if !f.activeApartFromSession(at) {
		return false
	}
	if f.grant.Offline() {
		return true
	}
	return f.grantedIn.found && f.unfinishedLogouts.sessionActive(f.grantedIn.session, at)
}

// activeFor reports whether a grant is active for a token that was issued under sid. An empty sid means that the token
// was issued without a session.
func (f *grantFacts) activeFor(sid string, at time.Time) bool {
	if !f.active(at) {
		return false
	}
	if sid == "" {
		return true
	}
	issuedIn := f.tokenIssuedIn
	return issuedIn.found &&
		f.unfinishedLogouts.sessionActive(issuedIn.session, at) &&
		!f.unfinishedLogouts.clientSessionRevoked(issuedIn.session, issuedIn.clientSession)
}

// GrantByRefresh implements storage.Grants.
func (s *Store) GrantByRefresh(
	ctx context.Context,
	token storage.Hash,
	at time.Time,
) (g storage.Grant, current bool, err error) {
	g, err = read(ctx, s, func(t *tx) (storage.Grant, error) {
		var row grantScan
		t.queryRow(
			`SELECT `+grantColumns+` FROM @refresh_tokens r JOIN @grants g ON g.id = r.grant_id`+grantJoins(noToken)+
				` WHERE r.hash = $1`,
			[]any{token[:]}, row.targets()...,
		)
		if facts := row.decodeFacts(t); facts.active(at) {
			return facts.grant, nil
		}
		return storage.Grant{}, fmt.Errorf("find grant of a refresh token: %w", storage.ErrNotFound)
	})
	return g, err == nil && g.RefreshHash == token, err
}

// ActiveGrant implements storage.Grants. It needs no time of issue, because ids of grants and sids are never used
// again.
func (s *Store) ActiveGrant(ctx context.Context, id, sid string, at time.Time) (storage.Grant, error) {
	return read(ctx, s, func(t *tx) (storage.Grant, error) {
		var row grantScan
		t.queryRow(
			`SELECT `+grantColumns+` FROM @grants g`+grantJoins(`$2`)+` WHERE g.id = $1`,
			[]any{id, sid}, row.targets()...,
		)
		if facts := row.decodeFacts(t); facts.activeFor(sid, at) {
			return facts.grant, nil
		}
		return storage.Grant{}, fmt.Errorf("find grant: %w", storage.ErrNotFound)
	})
}

// ListGrants implements storage.Grants.
func (s *Store) ListGrants(
	ctx context.Context,
	subject, client string,
	offlineOnly bool,
	at time.Time,
) ([]storage.Grant, error) {
	return read(ctx, s, func(t *tx) (list []storage.Grant, err error) {
		t.query(
			`SELECT `+grantColumns+` FROM @grants g`+grantJoins(noToken)+`
			WHERE (g.session IS NULL AND g.subject = $1
				OR NOT $3 AND g.session IN (SELECT id FROM @sessions WHERE subject = $1))
			AND ($2 = '' OR g.client = $2) ORDER BY g.session NULLS FIRST, g.client, g.id`,
			[]any{subject, client, offlineOnly},
			func(rows pgx.Rows) error {
				var row grantScan
				err := rows.Scan(row.targets()...)
				if facts := row.decodeFacts(t); facts.active(at) {
					list = append(list, facts.grant)
				}
				return err
			},
		)
		return list, nil
	})
}

// addGrant stores a new grant with its refresh token.
func (t *tx) addGrant(g storage.Grant, value []byte) {
	var session *string
	if !g.Offline() {
		session = (*string)(&g.Session)
	}
	t.exec(
		`INSERT INTO @grants (id, gate, session, sid, subject, client, deadline, record)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		g.ID, gateOf(g.Subject), session, g.SID, g.Subject, g.Client, grantDeadline(g), value,
	)
	if !g.RefreshHash.IsZero() {
		t.addRefreshToken(g)
	}
}

// updateGrant stores changes of an existing grant.
func (t *tx) updateGrant(g storage.Grant, value []byte) {
	t.exec(`UPDATE @grants SET deadline = $2, record = $3 WHERE id = $1`, g.ID, grantDeadline(g), value)
}

// grantDeadline returns the deadline of a grant for its column, or nil if the grant has none.
func grantDeadline(g storage.Grant) *int64 {
	deadline := millis(g.Deadline())
	if deadline == 0 {
		return nil
	}
	return &deadline
}

// addRefreshToken stores a grant's current refresh token. Used tokens stay in the store until the grant ends, or until
// they would have expired unused, so that the reuse of any of them is detected (RFC 9700 §4.14.2).
func (t *tx) addRefreshToken(g storage.Grant) {
	t.exec(`INSERT INTO @refresh_tokens (hash, grant_id) VALUES ($1, $2)`, g.RefreshHash[:], g.ID)
}

// removeGrants removes grants. Their tokens are inactive without them. Sweep removes the tokens later.
func (t *tx) removeGrants(ids []string) {
	if len(ids) == 0 {
		return
	}
	t.exec(`DELETE FROM @grants WHERE id = ANY($1)`, ids)
	t.exec(`INSERT INTO @ended_grants (id) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING`, ids)
}
