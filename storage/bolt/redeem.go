package bolt

import (
	"context"
	"fmt"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// issueFunc returns the grant and the tokens that a client gets for its client session.
type issueFunc = func(storage.Session, storage.ClientSession) (storage.Issuance, error)

// Redeem implements storage.Grants.
func (s *Store) Redeem(
	ctx context.Context, code storage.Code, at time.Time, issue issueFunc,
) (storage.RedeemResult, error) {
	at = truncateToMillis(at)
	s.observeTime(at)
	redeem := func(t *tx) (storage.RedeemResult, error) {
		if used, ok := t.findCodeUse(code); ok {
			return t.reuseResult(used), nil
		}
		r, err := t.joinSession(code, at, issue)
		if err != nil {
			return r, fmt.Errorf("redeem code: %w", err)
		}
		t.markCodeUsed(code, codeUse{
			expiresAt: truncateToMillis(code.Expires),
			grantID:   r.Grant.ID,
		})
		return r, nil
	}
	takeBack := func(t *tx, r storage.RedeemResult) { t.takeBackRedemption(code, r) }
	return writeOrTakeBack(ctx, s, redeem, takeBack)
}

// Join implements storage.Grants.
func (s *Store) Join(
	ctx context.Context, code storage.Code, at time.Time, issue issueFunc,
) (storage.RedeemResult, error) {
	at = truncateToMillis(at)
	return write(ctx, s, func(t *tx) (storage.RedeemResult, error) {
		r, err := t.joinSession(code, at, issue)
		if err != nil {
			return r, fmt.Errorf("join session: %w", err)
		}
		return r, nil
	})
}

// reuseResult returns the result for a code that was used before, with the grant of its first use. The caller ends that
// grant, because the code may have been stolen (RFC 6749 §4.1.2).
func (t *tx) reuseResult(firstUse codeUse) storage.RedeemResult {
	g, _ := t.grant(firstUse.grantID) // the zero grant if it was removed since
	return storage.RedeemResult{Reused: true, Grant: g}
}

// joinSession adds the code's client to the code's session, and stores the grant and the tokens that issue returns. It
// checks everything before it writes anything.
func (t *tx) joinSession(code storage.Code, at time.Time, issue issueFunc) (storage.RedeemResult, error) {
	var r storage.RedeemResult
	facts := t.redemptionFacts(code, at)
	if !code.MayRedeem(facts, at) {
		return r, storage.ErrRevoked
	}
	session := *facts.Session
	cs, isNew := session.Join(code, t.sequence(), at)
	if isNew && !t.sidAvailable(code.SID) {
		return r, fmt.Errorf("sid of a new client session: %w", storage.ErrExists)
	}
	issuance, err := issue(session, *cs)
	if err != nil {
		return r, err
	}
	issuance.Trust = truncateTokenExpiry(issuance.Trust)
	g := code.Bind(issuance, session.ID, cs, t.sequence(), at)
	g = truncateGrantTimes(g)
	if g.ID != "" { // empty: issue gave no grant
		if t.get(grants, []byte(g.ID)) != nil {
			return r, fmt.Errorf("grant: %w", storage.ErrExists)
		}
		if t.countGrants(g) >= storage.MaxGrants {
			return r, fmt.Errorf("grant: %w", storage.ErrLimit)
		}
		t.addGrant(g, session.Expires)
	}
	t.noteUse(code.Client, at)
	t.noteSignIn(code.Client, at)
	t.putClientSession(session.ID, *cs, isNew)
	t.putTokens(g, issuance.Tokens)
	// The authorization request counts as activity in the session.
	requestedAt := truncateToMillis(code.Issued)
	if requestedAt.After(session.LastActive) && session.NeedsTouch(requestedAt) {
		t.touch(&session, requestedAt)
	}
	r.Session, r.Grant = session, g
	return r, nil
}

// redemptionFacts reads the facts that Code.MayRedeem needs.
func (t *tx) redemptionFacts(code storage.Code, at time.Time) storage.RedemptionFacts {
	client := t.enabledClient(code.Client)
	facts := storage.RedemptionFacts{
		UserEnabled:   t.userEnabled(code.Subject),
		ClientEnabled: client != nil,
		Admitted:      client != nil && t.admitted(client, code.Subject),
		CutOff:        t.cutOff(code.CutoffScopes(), code.Session, code.Sequence),
		Forgotten:     t.cache.sweepHistory.ForgotCode(code),
	}
	if session, ok := t.activeSession(code.Session, at); ok {
		facts.Session = &session
	}
	return facts
}

// putTokens stores the tokens issued under a grant.
func (t *tx) putTokens(g storage.Grant, list []storage.Token) {
	for _, token := range list {
		token.Grant, token.Client, token.Subject = g.ID, g.Client, g.Subject
		t.putToken(token)
	}
}
