package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-id/curfew/storage"
)

// refreshIssueFunc decides which tokens a client gets for a grant. The session is nil for an offline grant.
type refreshIssueFunc = func(storage.Grant, *storage.Session) (storage.Issuance, error)

// Refresh implements storage.Grants.
func (s *Store) Refresh(
	ctx context.Context,
	r storage.RefreshRequest,
	at time.Time,
	issue refreshIssueFunc,
) (storage.RefreshResult, error) {
	at = truncate(at)
	s.observeTime(at) // dates the end of a bulk logout
	return write(ctx, s, func(t *tx) (storage.RefreshResult, error) {
		result, err := t.exchangeRefreshToken(r, at, issue)
		if err != nil {
			return storage.RefreshResult{}, fmt.Errorf("refresh: %w", err)
		}
		return result, nil
	})
}

// exchangeRefreshToken exchanges a token. It checks everything before it writes anything. After a failed statement its
// own error does not count: write returns the one of the database.
func (t *tx) exchangeRefreshToken(
	r storage.RefreshRequest,
	at time.Time,
	issue refreshIssueFunc,
) (result storage.RefreshResult, err error) {
	facts := t.refreshFacts(r)
	switch {
	case !facts.tokenExists:
		return result, storage.ErrNotFound
	case !facts.exists:
		return result, storage.ErrRevoked
	case facts.grant.Client != r.Client:
		return result, storage.ErrNotFound
	case !facts.activeApartFromSession(at):
		return result, storage.ErrRevoked
	}
	g := facts.grant
	result.Grant = g
	if !g.Offline() {
		session, ok := facts.unfinishedLogouts.activeSession(facts.session, at)
		if !ok {
			return result, storage.ErrRevoked
		}
		result.Session = &session
	}
	switch action := g.RefreshAction(r, at); action {
	case storage.RefreshRotate:
		noNewToken := r.NewToken.IsZero() // counts as taken, because no token may have this hash
		if facts.successorTaken || noNewToken {
			return result, fmt.Errorf("successor: %w", storage.ErrExists)
		}
		return t.issueAndStore(action, r, result, at, issue)
	case storage.RefreshRepeat:
		result.Repeated = true
		return t.issueAndStore(action, r, result, at, issue)
	case storage.RefreshReused:
		result.Reused = true
		return result, nil
	default:
		return result, storage.ErrRevoked
	}
}

// refreshFacts has the records on which the exchange of a refresh token depends.
type refreshFacts struct {
	grantFacts
	tokenExists    bool
	successorTaken bool            // a refresh token equal to the new one exists
	session        storage.Session // the session of the grant, with its client sessions
}

// refreshFacts locks the gate of the token's user (gates.go) and reads the records.
func (t *tx) refreshFacts(r storage.RefreshRequest) (facts refreshFacts) {
	t.lock(
		`SELECT n FROM @gates WHERE n IN (
			SELECT g.gate FROM @refresh_tokens r JOIN @grants g ON g.id = r.grant_id WHERE r.hash = $1
		) ORDER BY n FOR UPDATE`,
		r.Token[:],
	)
	var row grantScan
	var session []byte
	var clientSessions [][]byte
	t.query(
		`SELECT EXISTS (SELECT FROM @refresh_tokens WHERE hash = $2), s.record,
			coalesce(`+clientSessionsColumn+`, '{}'), `+grantColumns+`
		FROM @refresh_tokens r LEFT JOIN @grants g ON g.id = r.grant_id`+grantJoins(noToken)+`
		LEFT JOIN @sessions s ON s.id = g.session
		WHERE r.hash = $1`,
		[]any{r.Token[:], r.NewToken[:]},
		func(rows pgx.Rows) error {
			facts.tokenExists = true
			targets := []any{&facts.successorTaken, &session, &clientSessions}
			return rows.Scan(append(targets, row.targets()...)...)
		},
	)
	facts.grantFacts = row.decodeFacts(t)
	facts.session = decode[storage.Session](t, session)
	facts.session.ClientSessions = decodeAll[storage.ClientSession](t, clientSessions)
	return facts
}

// issueAndStore stores the result of issue and, unless the exchange is repeated, the new refresh token.
func (t *tx) issueAndStore(
	action storage.RefreshAction,
	r storage.RefreshRequest,
	result storage.RefreshResult,
	at time.Time,
	issue refreshIssueFunc,
) (storage.RefreshResult, error) {
	if t.err != nil {
		return result, t.err
	}
	issuance, err := issue(result.Grant, result.Session)
	if err != nil {
		return result, err
	}
	g, encoded := normalize(t, result.Grant.Refreshed(action, r, issuance, at))
	if action == storage.RefreshRotate {
		t.addRefreshToken(g)
		if g.Offline() && g.IdleTimeout > 0 {
			// From now on, the exchanged token is kept for the idle timeout, so that its reuse is detected.
			expires := millis(at.Add(g.IdleTimeout))
			t.exec(`UPDATE @refresh_tokens SET expires = $2 WHERE hash = $1`, g.PreviousHash[:], expires)
		}
	}
	if !g.Offline() {
		t.touchClientSession(g, result.Session, issuance.Trust, at)
	}
	t.updateGrant(g, encoded)
	t.putTokens(g, issuance.Tokens)
	t.noteUse(g.Client, at)
	result.Grant = g
	return result, nil
}

// touchClientSession stores in client session and session that a grant was refreshed. A refresh keeps the session
// active.
func (t *tx) touchClientSession(g storage.Grant, session *storage.Session, expiry storage.TokenExpiry, at time.Time) {
	for i := range session.ClientSessions {
		if cs := &session.ClientSessions[i]; cs.SID == g.SID {
			cs.LastUsed = at
			cs.TokenExpiry.Extend(expiry)
			*cs, _ = normalize(t, *cs)
			t.updateClientSession(*cs)
		}
	}
	if session.NeedsTouch(at) {
		session.LastActive = at
		t.updateSession(*session)
	}
}
