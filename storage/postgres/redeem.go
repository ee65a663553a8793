package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// issueFunc decides which grant and tokens a client gets for its client session.
type issueFunc = func(storage.Session, storage.ClientSession) (storage.Issuance, error)

// Redeem implements storage.Grants.
func (s *Store) Redeem(
	ctx context.Context, code storage.Code, at time.Time, issue issueFunc,
) (storage.RedeemResult, error) {
	at = truncate(at)
	s.observeTime(at)
	return write(ctx, s, func(t *tx) (storage.RedeemResult, error) {
		facts := t.redemptionFacts(code, at)
		if facts.used {
			return storage.RedeemResult{Reused: true, Grant: facts.firstGrant}, nil
		}
		r, err := t.joinSession(code, facts, at, issue)
		if err != nil {
			return r, fmt.Errorf("redeem code: %w", err)
		}
		t.exec(
			`INSERT INTO @used_codes (id, expires, grant_id) VALUES ($1, $2, $3)`,
			codeKey(code), millis(code.Expires), r.Grant.ID,
		)
		return r, nil
	})
}

// Join implements storage.Grants.
func (s *Store) Join(
	ctx context.Context, code storage.Code, at time.Time, issue issueFunc,
) (storage.RedeemResult, error) {
	at = truncate(at)
	return write(ctx, s, func(t *tx) (storage.RedeemResult, error) {
		r, err := t.joinSession(code, t.redemptionFacts(code, at), at, issue)
		if err != nil {
			return r, fmt.Errorf("join session: %w", err)
		}
		return r, nil
	})
}

// codeKey returns the key of the record that a code was used. Package bolt has the same keys. The key is made from the
// sealed content of the code, so that the same code in another encoding has the same key.
func codeKey(code storage.Code) []byte {
	const signBit = 1 << 63 // flipped, so that keys are in the order of time
	issued := uint64(code.Issued.UnixMilli()) ^ signBit
	idHash := sha256.Sum256([]byte(code.ID))
	return append(binary.BigEndian.AppendUint64(nil, issued), idHash[:]...)
}

// redemption has the records on which the redemption of a code depends.
type redemption struct {
	storage.RedemptionFacts
	used       bool
	firstGrant storage.Grant // the grant of the first use; zero if it was removed
	grants     int           // number of grants of the code's session
	offline    int           // number of offline grants of the code's user to the code's client
	sidTaken   bool          // another client session has the code's sid
}

// redemptionFacts locks the gate of the code's user and reads the records. If the code was used before, it may have
// been stolen, so the caller ends the grant of the first use (RFC 6749 §4.1.2).
func (t *tx) redemptionFacts(code storage.Code, at time.Time) (r redemption) {
	scopeSessions, subjects, clients := scopeLists(code.CutoffScopes())
	t.lockGates(gateOf(code.Subject))
	var cutoffs, clientSessions, bulkLogouts [][]byte
	var session, grant []byte
	t.queryRowThenState(
		`SELECT `+cutoffsColumn+`,
			EXISTS (SELECT FROM @used_codes WHERE id = $4),
			(SELECT g.record FROM @used_codes u JOIN @grants g ON g.id = u.grant_id WHERE u.id = $4),
			EXISTS (SELECT FROM @users WHERE subject = $5 AND enabled),
			EXISTS (SELECT FROM @clients WHERE id = $6 AND enabled),
			EXISTS (SELECT FROM @clients c JOIN @users u ON u.subject = $5 WHERE c.id = $6 AND `+admits(`c`, `u`)+`),
			EXISTS (SELECT FROM @client_sessions WHERE sid = $8),
			(SELECT count(*) FROM @grants WHERE session = $7),
			(SELECT count(*) FROM @grants WHERE session IS NULL AND subject = $5 AND client = $6),
			s.record, coalesce(`+clientSessionsColumn+`, '{}'), `+unfinishedColumn+`
		FROM (SELECT) one LEFT JOIN @sessions s ON s.id = $7`,
		[]any{
			scopeSessions, subjects, clients,
			codeKey(code), code.Subject, code.Client, string(code.Session), code.SID,
		},
		&cutoffs, &r.used, &grant, &r.UserEnabled, &r.ClientEnabled, &r.Admitted, &r.sidTaken, &r.grants,
		&r.offline,
		&session, &clientSessions, &bulkLogouts,
	)
	r.firstGrant = decode[storage.Grant](t, grant)
	r.CutOff = isCutOff(t, cutoffs, code.Session, code.Sequence)
	r.Forgotten = t.state.swept.ForgotCode(code)
	found := decode[storage.Session](t, session)
	found.ClientSessions = decodeAll[storage.ClientSession](t, clientSessions)
	if active, ok := decodeUnfinished(t, bulkLogouts).activeSession(found, at); ok {
		r.Session = &active
	}
	return r
}

// joinSession adds the code's client to the code's session, and stores the grant and the tokens that issue returns. It
// checks everything before it writes anything.
func (t *tx) joinSession(
	code storage.Code, facts redemption, at time.Time, issue issueFunc,
) (r storage.RedeemResult, err error) {
	if t.err != nil || !code.MayRedeem(facts.RedemptionFacts, at) {
		return r, storage.ErrRevoked
	}
	session := *facts.Session
	cs, isNew := session.Join(code, t.sequence(), at)
	if isNew && (facts.sidTaken || isUnusableSID(code.SID)) {
		return r, fmt.Errorf("sid of a new client session: %w", storage.ErrExists)
	}
	issuance, err := issue(session, *cs)
	if err != nil {
		return r, err
	}
	g, value := normalize(t, code.Bind(issuance, session.ID, cs, t.sequence(), at))
	*cs, _ = normalize(t, *cs)
	existing := facts.grants
	if g.Offline() {
		existing = facts.offline
	}
	if g.ID != "" && existing >= storage.MaxGrants {
		return r, fmt.Errorf("grant: %w", storage.ErrLimit)
	}
	if g.ID != "" { // empty: issue gave no grant
		t.addGrant(g, value)
	}
	if isNew {
		t.addClientSession(session.ID, *cs)
	} else {
		t.updateClientSession(*cs)
	}
	t.putTokens(g, issuance.Tokens)
	t.noteUse(code.Client, at)
	t.noteSignIn(code.Client, at)
	// The authorization request counts as activity in the session.
	requestedAt := truncate(code.Issued)
	if requestedAt.After(session.LastActive) && session.NeedsTouch(requestedAt) {
		session.LastActive = requestedAt
		t.updateSession(session)
	}
	r.Session, r.Grant = session, g
	return r, nil
}

// putTokens stores the tokens issued under a grant.
func (t *tx) putTokens(g storage.Grant, list []storage.Token) {
	for _, token := range list {
		token.Grant, token.Client, token.Subject = g.ID, g.Client, g.Subject
		t.putToken(token)
	}
}
