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
	s.advanceClock(at)
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

// reuseResult answers the second use of a code with the grant that the first gave: one of the two was a thief's (RFC 6749 §4.1.2).
func (t *tx) reuseResult(firstUse codeUse) storage.RedeemResult {
	g, _ := t.grant(firstUse.grantID)
	return storage.RedeemResult{Reused: true, Grant: g}
}

// joinSession makes a client a member of a session and stores what it gets. Everything is checked before anything is written.
func (t *tx) joinSession(code storage.Code, at time.Time, issue func(storage.Session, storage.ClientSession) (storage.Issuance, error)) (storage.RedeemResult, error) {
	var r storage.RedeemResult
	session, ok := t.activeSession(code.Session, at)
	switch {
	case !ok || session.Subject != code.Subject || !t.userEnabled(code.Subject) || t.enabledClient(code.Client) == nil:
		return r, storage.ErrRevoked
	case !at.Before(code.Expires) || code.Issued.After(at.Add(storage.ClockStep)) || t.codeRevoked(session, code),
		t.cache.sweepState.mayHaveForgotten(code.Issued, code.Expires):
		return r, storage.ErrRevoked
	}
	cs, isNew := session.ClientSession(code.Client), false
	if cs == nil {
		if !t.sidAvailable(code.SID) {
			return r, fmt.Errorf("sid of a new member: %w", storage.ErrExists)
		}
		session.ClientSessions = append(session.ClientSessions, storage.ClientSession{Client: code.Client, SID: code.SID, CodeIssued: truncateToMillis(code.Issued), Joined: at, LastUsed: at})
		cs, isNew = &session.ClientSessions[len(session.ClientSessions)-1], true
	}
	issuance, err := issue(session, *cs)
	if err != nil {
		return r, err
	}
	g := truncateGrantTimes(issuance.Grant)
	if g.ID != "" {
		if t.get(grants, []byte(g.ID)) != nil {
			return r, fmt.Errorf("grant: %w", storage.ErrExists)
		}
		g.Client, g.Subject, g.SID = code.Client, code.Subject, cs.SID
		if !g.Offline() {
			g.Session = session.ID
		} else {
			g.Trust.Extend(truncateTokenExpiry(issuance.Trust))
		}
		t.addGrant(g, session.Expires)
	}
	cs.LastUsed = at
	cs.TokenExpiry.Extend(truncateTokenExpiry(issuance.Trust))
	t.putClientSession(session.ID, *cs, isNew)
	t.putTokens(g, issuance.Tokens)
	if code.Issued.Sub(session.LastActive) >= storage.ActivityStep {
		t.touch(&session, truncateToMillis(code.Issued)) // the authorization request was a use of the session
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

// grantEndedEvent is the audit line of a grant that ended.
func grantEndedEvent(g storage.Grant, cause storage.Cause, at time.Time) storage.Event {
	return storage.Event{
		At: at, Kind: "grant.ended", Reason: cause.Reason, Cause: cause.ID, By: cause.By, Address: cause.Address,
		Subject: g.Subject, Session: storage.SessionHash(g.Session), Client: g.Client,
	}
}
