package bolt

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// GrantByRefresh implements storage.Grants.
func (s *Store) GrantByRefresh(
	ctx context.Context,
	token storage.Hash,
	at time.Time,
) (g storage.Grant, current bool, err error) {
	g, err = read(ctx, s, func(t *tx) (storage.Grant, error) {
		if _, id := t.findRefreshToken(token); id != "" {
			if g, ok := t.grant(id); ok && t.grantActive(g, at) {
				return g, nil
			}
		}
		return storage.Grant{}, fmt.Errorf("find grant of a refresh token: %w", storage.ErrNotFound)
	})
	return g, err == nil && g.RefreshHash == token, err
}

// ActiveGrant implements storage.Grants. No time of issue is needed: a revoked grant and a revoked sid never come back.
func (s *Store) ActiveGrant(ctx context.Context, id, sid string, at time.Time) (storage.Grant, error) {
	return find(ctx, s, func(t *tx) (storage.Grant, error) {
		if g, ok := t.activeGrant(id, sid, at); ok {
			return g, nil
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
		found := t.offlineGrants(subject, client)
		if !offlineOnly {
			for k := range t.scanPrefix(sessionsByUser, keyPrefix(subject)) {
				found = append(found, t.boundGrants(storage.SessionID(lastKeyPart(k)), "")...)
			}
		}
		for _, g := range found {
			if (client == "" || g.Client == client) && t.grantActive(g, at) {
				list = append(list, g)
			}
		}
		return list, nil
	})
}

// grant finds a grant. One that is bound to a session counts as long as its key in the session is there.
func (t *tx) grant(id string) (storage.Grant, bool) {
	g, ok := load[storage.Grant](t, grants, []byte(id))
	if !ok || (!g.Offline() && t.get(sessions, boundGrantKey(g)) == nil) {
		return storage.Grant{}, false
	}
	return g, true
}

// boundGrantKey is the key of a bound grant in its session.
func boundGrantKey(g storage.Grant) []byte { return joinKey(string(g.Session), g.SID, g.ID) }

// boundGrants finds the grants of a session, or of one client session.
func (t *tx) boundGrants(id storage.SessionID, sid string) (list []storage.Grant) {
	prefix := keyPrefix(string(id))
	if sid != "" {
		prefix = keyPrefix(string(id), sid)
	}
	for k := range t.scanPrefix(sessions, prefix) {
		if bytes.Count(k[len(id):], []byte{0}) < 2 {
			continue // a client session
		}
		if g, ok := t.grant(lastKeyPart(k)); ok {
			list = append(list, g)
		}
	}
	return list
}

// offlineGrants finds the offline grants of a user, of one client or (empty) all.
func (t *tx) offlineGrants(subject, client string) (list []storage.Grant) {
	prefix := keyPrefix(subject)
	if client != "" {
		prefix = keyPrefix(subject, client)
	}
	for k := range t.scanPrefix(offlineGrantsByUser, prefix) {
		if g, ok := t.grant(lastKeyPart(k)); ok {
			list = append(list, g)
		}
	}
	return list
}

// activeGrant finds a grant that counts for a token issued under sid (empty: without a session). A session past its
// idle deadline is left to the sweep while that keeps up, so that checking a token reads no session. A bound grant
// whose key is there still has the client session in which it was given.
func (t *tx) activeGrant(id, sid string, at time.Time) (storage.Grant, bool) {
	g, ok := t.grant(id)
	if !ok || !g.UnexpiredAt(at) || !t.clientAndUserEnabled(g) ||
		(sid != "" && (g.Offline() || g.SID != sid) && t.sidRevoked(sid)) ||
		t.grantRevoked(g) {
		return storage.Grant{}, false
	}
	if t.sweepOverdue(at) && !t.sessionUnexpired(g, sid, at) {
		return storage.Grant{}, false
	}
	return g, true
}

// sweepOverdue reports whether the session that is longest past its deadline has waited for too long to be ended.
func (t *tx) sweepOverdue(at time.Time) bool {
	k, _ := t.bucket(sessionsByDeadline).Cursor().First()
	return k != nil && keyTime(k).Add(storage.SweepDelay).Before(at)
}

// sessionUnexpired reports whether the session of a token, if it has one, is before its deadline.
func (t *tx) sessionUnexpired(g storage.Grant, sid string, at time.Time) bool {
	id := g.Session
	if sid != "" {
		id = storage.SessionID(t.get(sessionsBySID, []byte(sid)))
	}
	if id == "" {
		return true
	}
	session, ok := t.sessionRecord(id)
	return ok && at.Before(session.Deadline())
}

// grantActive reports whether a grant counts at that moment, and its session, where it is bound to one, is active.
func (t *tx) grantActive(g storage.Grant, at time.Time) bool {
	if !g.UnexpiredAt(at) || !t.clientAndUserEnabled(g) || t.grantRevoked(g) {
		return false
	}
	if g.Offline() {
		return true
	}
	session, ok := t.sessionRecord(g.Session)
	return ok && t.sessionActive(session, at)
}

// clientAndUserEnabled reports whether a grant's client and user are there and enabled.
func (t *tx) clientAndUserEnabled(g storage.Grant) bool {
	return t.enabledClient(g.Client) != nil && t.userEnabled(g.Subject)
}

// addGrant stores a new grant; sessionEnd is the absolute end of the session in which it was given.
func (t *tx) addGrant(g storage.Grant, sessionEnd time.Time) {
	if g.Offline() {
		t.put(offlineGrantsByUser, joinKey(g.Subject, g.Client, g.ID), nil)
		t.put(offlineGrantsByClient, joinKey(g.Client, g.ID), nil)
	} else {
		t.put(sessions, boundGrantKey(g), []byte{1})
	}
	t.putGrant(g)
	t.expireGrant(g, sessionEnd)
	if !g.RefreshHash.IsZero() {
		t.addRefreshToken(g, storage.Hash{})
	}
}

// putGrant stores a grant's own record.
func (t *tx) putGrant(g storage.Grant) { t.store(grants, []byte(g.ID), g) }

// expireGrant schedules a grant for Sweep, unless it ends with its session anyway.
func (t *tx) expireGrant(g storage.Grant, sessionEnd time.Time) {
	if d := g.Deadline(); !d.IsZero() && (g.Offline() || d.Before(sessionEnd)) {
		t.scheduleExpiry(d, expiryGrant, []byte(g.ID))
	}
}

// truncateGrantTimes returns g in whole milliseconds.
func truncateGrantTimes(g storage.Grant) storage.Grant {
	g.AuthTime, g.Created, g.LastUsed = truncateToMillis(
		g.AuthTime,
	), truncateToMillis(
		g.Created,
	), truncateToMillis(
		g.LastUsed,
	)
	g.Expires, g.RotatedAt, g.Trust = truncateToMillis(
		g.Expires,
	), truncateToMillis(
		g.RotatedAt,
	), truncateTokenExpiry(
		g.Trust,
	)
	return g
}

// addRefreshToken stores g's current refresh token with the one before it. The tokens of a family stay in the store
// until the family ends, or for as long as they would have been valid unused, so that the reuse of any of them shows
// (RFC 9700 §4.14.2).
func (t *tx) addRefreshToken(g storage.Grant, previous storage.Hash) {
	t.put(refreshTokens, g.RefreshHash[:], append(previous[:], g.ID...))
}

// findRefreshToken finds the family of a refresh token and the token before it; id is empty if it is unknown.
func (t *tx) findRefreshToken(token storage.Hash) (previous storage.Hash, id string) {
	value := t.get(refreshTokens, token[:])
	if len(value) <= len(previous) {
		return previous, ""
	}
	return storage.Hash(value[:len(previous)]), string(value[len(previous):])
}

// removeGrant removes a grant and leaves its tokens, which do not count without it, to Sweep. The token expiry of
// offline access moves to its client session, because the client's own session may depend on it.
func (t *tx) removeGrant(g storage.Grant) {
	if g.Offline() {
		if session, cs, ok := t.clientSessionBySID(g.SID); ok {
			cs.TokenExpiry.Extend(g.Trust)
			t.putClientSession(session.ID, cs, false)
		}
		t.delete(grants, []byte(g.ID))
		t.delete(offlineGrantsByUser, joinKey(g.Subject, g.Client, g.ID))
		t.delete(offlineGrantsByClient, joinKey(g.Client, g.ID))
	} else {
		t.delete(sessions, boundGrantKey(g))
	}
	t.discardGrant(g)
}
