package bolt

import (
	"context"
	"fmt"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// refreshIssueFunc returns the tokens that a client gets for a refresh token. The session is nil for an offline grant.
type refreshIssueFunc = func(storage.Grant, *storage.Session) (storage.Issuance, error)

// Refresh implements storage.Grants.
func (s *Store) Refresh(
	ctx context.Context,
	r storage.RefreshRequest,
	at time.Time,
	issue refreshIssueFunc,
) (storage.RefreshResult, error) {
	at = truncateToMillis(at)
	s.observeTime(at)
	var before storage.Grant // the grant as the exchange found it
	refresh := func(t *tx) (storage.RefreshResult, error) {
		if _, id := t.findRefreshToken(r.Token); id != "" {
			before, _ = t.grant(id)
		}
		result, err := t.exchangeRefreshToken(r, at, issue)
		if err != nil {
			return storage.RefreshResult{}, fmt.Errorf("refresh: %w", err)
		}
		return result, nil
	}
	takeBack := func(t *tx, result storage.RefreshResult) { t.takeBackRefresh(r, before, result.Grant) }
	return writeOrTakeBack(ctx, s, refresh, takeBack)
}

// exchangeRefreshToken exchanges a refresh token for its successor. It checks everything before it writes anything.
func (t *tx) exchangeRefreshToken(
	r storage.RefreshRequest,
	at time.Time,
	issue refreshIssueFunc,
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
	case storage.RefreshRotate:
		if r.NewToken.IsZero() || t.get(refreshTokens, r.NewToken[:]) != nil {
			return result, fmt.Errorf("successor: %w", storage.ErrExists)
		}
		return t.refresh(action, r, result, at, issue)
	case storage.RefreshRepeat:
		result.Repeated = true
		return t.refresh(action, r, result, at, issue)
	case storage.RefreshReused:
		result.Reused = true
		return result, nil
	default:
		return result, storage.ErrRevoked
	}
}

// refresh stores the tokens that issue returns and, for RefreshRotate, the successor of the refresh token.
func (t *tx) refresh(
	action storage.RefreshAction,
	r storage.RefreshRequest,
	result storage.RefreshResult,
	at time.Time,
	issue refreshIssueFunc,
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
			// By then the token would have expired without the exchange.
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

// rescheduleGrant schedules the expiry of a grant again if its new limits are shorter. If they are longer, Sweep finds
// the grant too early and schedules it again.
func (t *tx) rescheduleGrant(before, after storage.Grant, session *storage.Session) {
	after.LastUsed = before.LastUsed // compare the limits only, not the use
	oldDeadline, newDeadline := before.Deadline(), after.Deadline()
	if !oldDeadline.IsZero() && !newDeadline.Before(oldDeadline) {
		return
	}
	sessionEnd := farFuture
	if session != nil {
		sessionEnd = session.Expires
	}
	t.expireGrant(after, sessionEnd)
}

// touchClientSession records a refresh in the client session and in the session of a session-bound grant. A client that
// refreshes its tokens thus keeps the session from expiring by idle timeout.
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
