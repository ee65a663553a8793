package bolt

import (
	"context"
	"fmt"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// Redeem implements storage.Grants.
func (s *Store) Redeem(ctx context.Context, code storage.Code, at time.Time, issue func(storage.Session, storage.ClientSession) (storage.Issuance, error)) (storage.RedeemResult, error) {
	at = truncateToMillis(at)
	s.observeTime(at)
	return writeOrTakeBack(ctx, s, func(t *tx) (storage.RedeemResult, error) {
		if used, ok := t.findCodeUse(code); ok {
			return t.reuseResult(used), nil
		}
		r, err := t.joinSession(code, at, issue)
		if err != nil {
			return r, fmt.Errorf("redeem code: %w", err)
		}
		t.markCodeUsed(code, codeUse{expiresAt: truncateToMillis(code.Expires), grantID: r.Grant.ID})
		return r, nil
	}, func(t *tx, r storage.RedeemResult) { t.takeBackRedemption(code, r) })
}

// Join implements storage.Grants.
func (s *Store) Join(ctx context.Context, code storage.Code, at time.Time, issue func(storage.Session, storage.ClientSession) (storage.Issuance, error)) (storage.RedeemResult, error) {
	at = truncateToMillis(at)
	return write(ctx, s, func(t *tx) (storage.RedeemResult, error) {
		r, err := t.joinSession(code, at, issue)
		if err != nil {
			return r, fmt.Errorf("join session: %w", err)
		}
		return r, nil
	})
}

// reuseResult returns the grant that the first use of a code gave, so that the caller can end it: one of the two uses may be a thief's
// (RFC 6749 §4.1.2).
func (t *tx) reuseResult(firstUse codeUse) storage.RedeemResult {
	g, _ := t.grant(firstUse.grantID)
	return storage.RedeemResult{Reused: true, Grant: g}
}

// joinSession joins a client to a session and stores what the client gets. Everything is checked before anything is written.
func (t *tx) joinSession(code storage.Code, at time.Time, issue func(storage.Session, storage.ClientSession) (storage.Issuance, error)) (storage.RedeemResult, error) {
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
	g := truncateGrantTimes(code.Bind(issuance, session.ID, cs, t.sequence(), at))
	if g.ID != "" {
		if t.get(grants, []byte(g.ID)) != nil {
			return r, fmt.Errorf("grant: %w", storage.ErrExists)
		}
		t.addGrant(g, session.Expires)
	}
	t.putClientSession(session.ID, *cs, isNew)
	t.putTokens(g, issuance.Tokens)
	if issued := truncateToMillis(code.Issued); issued.After(session.LastActive) && session.NeedsTouch(issued) {
		t.touch(&session, issued) // the authorization request was a use of the session
	}
	r.Session, r.Grant = session, g
	return r, nil
}

// redemptionFacts collects the facts by which storage decides whether a code may be redeemed.
func (t *tx) redemptionFacts(code storage.Code, at time.Time) storage.RedemptionFacts {
	facts := storage.RedemptionFacts{
		UserEnabled:   t.userEnabled(code.Subject),
		ClientEnabled: t.enabledClient(code.Client) != nil,
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
