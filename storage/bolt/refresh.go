package bolt

import (
	"context"
	"fmt"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// Refresh implements storage.Grants.
func (s *Store) Refresh(
	ctx context.Context,
	r storage.RefreshRequest,
	at time.Time,
	issue func(storage.Grant, *storage.Session) (storage.Issuance, error),
) (storage.RefreshResult, error) {
	at = truncateToMillis(at)
	s.observeTime(at)
	return write(ctx, s, func(t *tx) (storage.RefreshResult, error) {
		result, err := t.exchangeRefreshToken(r, at, issue)
		if err != nil {
			return storage.RefreshResult{}, fmt.Errorf("refresh: %w", err)
		}
		return result, nil
	})
}

// exchangeRefreshToken exchanges a token. Everything is checked before anything is written.
func (t *tx) exchangeRefreshToken(
	r storage.RefreshRequest,
	at time.Time,
	issue func(storage.Grant, *storage.Session) (storage.Issuance, error),
) (result storage.RefreshResult, err error) {
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
	case !g.UnexpiredAt(at) || !t.clientAndUserEnabled(g) || t.grantRevoked(g):
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
	switch action := g.RefreshAction(r, at); action {
	case storage.RefreshRotate, storage.RefreshRepeat:
		if action == storage.RefreshRotate && (t.get(refreshTokens, r.NewToken[:]) != nil || r.NewToken.IsZero()) {
			return result, fmt.Errorf("successor: %w", storage.ErrExists)
		}
		result.Repeated = action == storage.RefreshRepeat
		return t.refresh(action, r, result, at, issue)
	case storage.RefreshReused:
		result.Reused = true
		return result, nil
	default:
		return result, storage.ErrRevoked
	}
}

// refresh stores what issue gives, and the successor of the refresh token unless the exchange is repeated.
func (t *tx) refresh(
	action storage.RefreshAction,
	r storage.RefreshRequest,
	result storage.RefreshResult,
	at time.Time,
	issue func(storage.Grant, *storage.Session) (storage.Issuance, error),
) (storage.RefreshResult, error) {
	issuance, err := issue(result.Grant, result.Session)
	if err != nil {
		return result, err
	}
	issuance.Trust = truncateTokenExpiry(issuance.Trust)
	g := truncateGrantTimes(result.Grant.Refreshed(action, r, issuance, at))
	t.rescheduleGrant(result.Grant, g, result.Session)
	if action == storage.RefreshRotate {
		t.addRefreshToken(g, g.PreviousHash)
		if g.Offline() && g.IdleTimeout > 0 {
			// Unused, it would have expired then too.
			t.scheduleExpiry(at.Add(g.IdleTimeout), expiryRefresh, g.PreviousHash[:])
		}
	}
	if !g.Offline() {
		t.touchClientSession(g, result.Session, issuance.Trust, at)
	}
	t.noteUse(g.Client, at)
	t.putGrant(g)
	t.putTokens(g, issuance.Tokens)
	result.Grant = g
	return result, nil
}

// rescheduleGrant lets Sweep find a grant whose deadline moved back. One that moved forward is found too early and
// scheduled again.
func (t *tx) rescheduleGrant(before, after storage.Grant, session *storage.Session) {
	after.LastUsed = before.LastUsed
	if old, next := before.Deadline(), after.Deadline(); !old.IsZero() && !next.Before(old) {
		return
	}
	sessionEnd := farFuture
	if session != nil {
		sessionEnd = session.Expires
	}
	t.expireGrant(after, sessionEnd)
}

// touchClientSession stores a refresh in the session of a bound grant: a client in use keeps its session active.
func (t *tx) touchClientSession(g storage.Grant, session *storage.Session, expiry storage.TokenExpiry, at time.Time) {
	for i := range session.ClientSessions {
		if cs := &session.ClientSessions[i]; cs.SID == g.SID {
			cs.LastUsed = at
			cs.TokenExpiry.Extend(expiry)
			t.putClientSession(session.ID, *cs, false)
		}
	}
	if session.NeedsTouch(at) {
		t.touch(session, at)
	}
}

// farFuture is later than any deadline.
var farFuture = time.UnixMilli(1<<53 - 1).UTC()
