package bolt

import (
	"context"
	"fmt"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// Refresh implements storage.Grants.
func (s *Store) Refresh(ctx context.Context, r storage.RefreshRequest, at time.Time, issue func(storage.Grant, *storage.Session) (storage.Issuance, error)) (storage.RefreshResult, error) {
	at = truncateToMillis(at)
	s.advanceClock(at)
	return write(ctx, s, func(t *tx) (storage.RefreshResult, error) {
		result, err := t.exchangeRefreshToken(r, at, issue)
		if err != nil {
			return storage.RefreshResult{}, fmt.Errorf("refresh: %w", err)
		}
		return result, nil
	})
}

// exchangeRefreshToken exchanges a token. Everything is checked before anything is written.
func (t *tx) exchangeRefreshToken(r storage.RefreshRequest, at time.Time, issue func(storage.Grant, *storage.Session) (storage.Issuance, error)) (result storage.RefreshResult, err error) {
	_, id := t.findRefreshToken(r.Token)
	if id == "" {
		return result, storage.ErrNotFound
	}
	g, ok := t.grant(id)
	switch {
	case !ok:
		return result, storage.ErrRevoked
	case g.Client != r.Client:
		return result, storage.ErrNotFound
	case !t.grantUnexpired(g, at) || !t.clientAndUserEnabled(g) || t.grantRevoked(g):
		return result, storage.ErrRevoked
	}
	result.Grant = g
	if !g.Offline() {
		session, ok := t.activeSession(g.Session, at)
		if !ok {
			return result, storage.ErrRevoked
		}
		result.Session = &session
	}
	switch {
	case r.Token == g.RefreshHash:
		if t.get(refreshTokens, r.NewToken[:]) != nil || r.NewToken.IsZero() {
			return result, fmt.Errorf("successor: %w", storage.ErrExists)
		}
		return t.rotate(r, result, at, issue)
	case r.Token == g.PreviousHash && at.Sub(g.RotatedAt) <= r.Grace && g.RotatedAt.Sub(at) <= storage.ClockStep:
		if r.NewToken != g.RefreshHash {
			return result, storage.ErrRevoked // derived under another key: the first answer cannot be given again
		}
		result.Repeated = true
		return t.rotate(r, result, at, issue)
	default:
		// An exchanged token comes again: it or its successor was stolen (RFC 9700 §4.14.2).
		result.Reused = true
		return result, nil
	}
}

// rotate stores what issue gives, and the successor unless the exchange is repeated.
func (t *tx) rotate(r storage.RefreshRequest, result storage.RefreshResult, at time.Time, issue func(storage.Grant, *storage.Session) (storage.Issuance, error)) (storage.RefreshResult, error) {
	issuance, err := issue(result.Grant, result.Session)
	if err != nil {
		return result, err
	}
	g := result.Grant
	if issuance.Grant.ID == g.ID {
		g.Scope, g.Audience, g.Claims = issuance.Grant.Scope, issuance.Grant.Audience, issuance.Grant.Claims
		g.IdleTimeout, g.Expires, g.UserAgent = issuance.Grant.IdleTimeout, issuance.Grant.Expires, issuance.Grant.UserAgent
		g = truncateGrantTimes(g)
	}
	sessionEnd := endOfTime
	if result.Session != nil {
		sessionEnd = result.Session.Expires
	}
	if oldDeadline, newDeadline := result.Grant.Deadline(), g.Deadline(); oldDeadline.IsZero() || newDeadline.Before(oldDeadline) {
		t.expireGrant(g, sessionEnd) // a deadline that moved back is found by Sweep
	}
	g.LastUsed = at
	if !result.Repeated {
		g.PreviousHash, g.RefreshHash, g.RotatedAt = g.RefreshHash, r.NewToken, at
		t.addRefreshToken(g, g.PreviousHash)
		if g.Offline() && g.IdleTimeout > 0 {
			t.scheduleExpiry(at.Add(g.IdleTimeout), expiryRefresh, g.PreviousHash[:]) // it would not have lived longer either
		}
	}
	if g.Offline() {
		g.Trust.Extend(truncateTokenExpiry(issuance.Trust))
	} else {
		t.touchClientSession(g, result.Session, issuance.Trust, at)
	}
	t.putGrant(g)
	t.putTokens(g, issuance.Tokens)
	result.Grant = g
	return result, nil
}

// touchClientSession notes a refresh in the session that it belongs to: an application in use keeps its session alive.
func (t *tx) touchClientSession(g storage.Grant, session *storage.Session, expiry storage.TokenExpiry, at time.Time) {
	for i := range session.ClientSessions {
		if cs := &session.ClientSessions[i]; cs.SID == g.SID {
			cs.LastUsed = at
			cs.TokenExpiry.Extend(truncateTokenExpiry(expiry))
			t.putClientSession(session.ID, *cs, false)
		}
	}
	if at.Sub(session.LastActive) >= storage.ActivityStep {
		t.touch(session, at)
	}
}
