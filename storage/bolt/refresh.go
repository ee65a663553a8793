package bolt

import (
	"context"
	"fmt"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// Refresh implements storage.Grants.
func (s *Store) Refresh(ctx context.Context, r storage.Refresh, at time.Time, issue func(storage.Grant, *storage.Session) (storage.Issue, error)) (storage.Refreshed, error) {
	at = milli(at)
	s.saw(at)
	return write(ctx, s, func(t *tx) (storage.Refreshed, error) {
		out, err := t.refresh(r, at, issue)
		if err != nil {
			return storage.Refreshed{}, fmt.Errorf("refresh: %w", err)
		}
		return out, nil
	})
}

// refresh exchanges a token. Everything is checked before anything is written.
func (t *tx) refresh(r storage.Refresh, at time.Time, issue func(storage.Grant, *storage.Session) (storage.Issue, error)) (out storage.Refreshed, err error) {
	_, id := t.refreshToken(r.Token)
	if id == "" {
		return out, storage.ErrNotFound
	}
	g, ok := t.grant(id)
	switch {
	case !ok:
		return out, storage.ErrEnded
	case g.Client != r.Client:
		return out, storage.ErrNotFound
	case !t.unexpired(g, at) || !t.parties(g) || t.grantDead(g):
		return out, storage.ErrEnded
	}
	out.Grant = g
	if !g.Offline() {
		n, ok := t.liveSession(g.Session, at)
		if !ok {
			return out, storage.ErrEnded
		}
		out.Session = &n
	}
	switch {
	case r.Token == g.Refresh:
		if t.get(refreshes, r.Successor[:]) != nil || r.Successor.IsZero() {
			return out, fmt.Errorf("successor: %w", storage.ErrExists)
		}
		return t.rotate(r, out, at, issue)
	case r.Token == g.Previous && at.Sub(g.Rotated) <= r.Grace && g.Rotated.Sub(at) <= storage.ClockStep:
		if r.Successor != g.Refresh {
			return out, storage.ErrEnded // derived under another key: the first answer cannot be given again
		}
		out.Repeated = true
		return t.rotate(r, out, at, issue)
	default:
		// An exchanged token comes again: it or its successor was stolen (RFC 9700 §4.14.2).
		out.Reused = true
		return out, nil
	}
}

// rotate stores what issue gives, and the successor unless the exchange is repeated.
func (t *tx) rotate(r storage.Refresh, out storage.Refreshed, at time.Time, issue func(storage.Grant, *storage.Session) (storage.Issue, error)) (storage.Refreshed, error) {
	given, err := issue(out.Grant, out.Session)
	if err != nil {
		return out, err
	}
	g := out.Grant
	if given.Grant.ID == g.ID {
		g.Scope, g.Audience, g.Claims = given.Grant.Scope, given.Grant.Audience, given.Grant.Claims
		g.Idle, g.Expires, g.UserAgent = given.Grant.Idle, given.Grant.Expires, given.Grant.UserAgent
		g = milliGrant(g)
	}
	end := endOfTime
	if out.Session != nil {
		end = out.Session.Expires
	}
	if before, d := out.Grant.Deadline(), g.Deadline(); before.IsZero() || d.Before(before) {
		t.expireGrant(g, end) // a deadline that moved back is found by Sweep
	}
	g.LastUsed = at
	if !out.Repeated {
		g.Previous, g.Refresh, g.Rotated = g.Refresh, r.Successor, at
		t.addRefresh(g, g.Previous)
		if g.Offline() && g.Idle > 0 {
			t.expire(at.Add(g.Idle), expiryRefresh, g.Previous[:]) // it would not have lived longer either
		}
	}
	if g.Offline() {
		g.Trust.Extend(milliTrust(given.Trust))
	} else {
		t.keepActive(g, out.Session, given.Trust, at)
	}
	t.putGrant(g)
	t.putTokens(g, given.Tokens)
	out.Grant = g
	return out, nil
}

// keepActive notes a refresh in the session that it belongs to: an application in use keeps its session alive.
func (t *tx) keepActive(g storage.Grant, n *storage.Session, trust storage.Trust, at time.Time) {
	for i := range n.Members {
		if m := &n.Members[i]; m.SID == g.SID {
			m.LastUsed = at
			m.Trust.Extend(milliTrust(trust))
			t.putMember(n.ID, *m, false)
		}
	}
	if at.Sub(n.LastActive) >= storage.ActivityStep {
		t.touch(n, at)
	}
}
