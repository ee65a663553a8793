package bolt

import (
	"bytes"
	"context"
	"fmt"
	"math"
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

// ActiveGrant implements storage.Grants. It need not know when the token was issued, because the id of a revoked grant
// and the sid of a revoked client session are never used again.
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
				found = append(found, t.boundGrants(storage.SessionID(lastKeyPart(k)), "", math.MaxInt)...)
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

// grant finds a grant. A session-bound grant is revoked when its key in the table sessions is removed, or that of its
// client session.
func (t *tx) grant(id string) (storage.Grant, bool) {
	g, ok := load[storage.Grant](t, grants, []byte(id))
	if !ok {
		return storage.Grant{}, false
	}
	if !g.Offline() && (t.get(sessions, boundGrantKey(g)) == nil || t.get(sessions, clientSessionKey(g)) == nil) {
		return storage.Grant{}, false
	}
	return g, true
}

// boundGrantKey returns the key of a session-bound grant in the table sessions.
func boundGrantKey(g storage.Grant) []byte { return joinKey(string(g.Session), g.SID, g.ID) }

// clientSessionKey returns the key of a session-bound grant's client session in the table sessions.
func clientSessionKey(g storage.Grant) []byte { return joinKey(string(g.Session), g.SID) }

// boundGrants finds up to limit grants that are bound to a session. With a sid it finds only those of that client
// session.
func (t *tx) boundGrants(id storage.SessionID, sid string, limit int) (list []storage.Grant) {
	prefix := keyPrefix(string(id))
	if sid != "" {
		prefix = keyPrefix(string(id), sid)
	}
	for k := range t.scanPrefix(sessions, prefix) {
		if len(list) >= limit {
			break
		}
		if bytes.Count(k[len(id):], []byte{0}) < 2 {
			continue // a client session
		}
		if g, ok := t.grant(lastKeyPart(k)); ok {
			list = append(list, g)
		}
	}
	return list
}

// offlineGrants finds the offline grants of a user. An empty client selects all clients.
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

// activeGrant finds the active grant of a token that was issued in the client session sid (empty: without a session).
//
// It reads no session while the sweep keeps up, because the sweep ends expired sessions within storage.SweepDelay. A
// session-bound grant that is found has not lost its client session: both are removed together.
func (t *tx) activeGrant(id, sid string, at time.Time) (storage.Grant, bool) {
	g, ok := t.grant(id)
	if !ok || !g.UnexpiredAt(at) || !t.clientAndUserEnabled(g) || t.grantRevoked(g) {
		return storage.Grant{}, false
	}
	boundToSID := !g.Offline() && g.SID == sid
	if sid != "" && !boundToSID && t.sidRevoked(sid) {
		return storage.Grant{}, false
	}
	if t.sweepOverdue(at) && !t.sessionUnexpired(g, sid, at) {
		return storage.Grant{}, false
	}
	return g, true
}

// sweepOverdue reports whether a session expired more than storage.SweepDelay ago and has not been ended yet.
func (t *tx) sweepOverdue(at time.Time) bool {
	k, _ := t.bucket(sessionsByDeadline).Cursor().First()
	return k != nil && keyTime(k).Add(storage.SweepDelay).Before(at)
}

// sessionUnexpired reports whether the session of a token has not expired. It is true for a token without a session.
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

// grantActive reports whether a grant and, if it is session-bound, its session are active at that time.
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

// clientAndUserEnabled reports whether a grant's client and user exist and are enabled, and the client admits the user.
func (t *tx) clientAndUserEnabled(g storage.Grant) bool {
	client := t.enabledClient(g.Client)
	return client != nil && t.userEnabled(g.Subject) && t.admitted(client, g.Subject)
}

// addGrant stores a new grant. sessionEnd is when the session in which it was given expires at the latest.
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

// countGrants counts the grants of g's session, or the offline grants of g's user and client.
func (t *tx) countGrants(g storage.Grant) (count int) {
	if g.Offline() {
		for range t.scanPrefix(offlineGrantsByUser, keyPrefix(g.Subject, g.Client)) {
			count++
		}
		return count
	}
	for k := range t.scanPrefix(sessions, keyPrefix(string(g.Session))) {
		if bytes.Count(k[len(g.Session):], []byte{0}) >= 2 { // not a client session
			count++
		}
	}
	return count
}

// putGrant stores a grant's own record.
func (t *tx) putGrant(g storage.Grant) { t.store(grants, []byte(g.ID), g) }

// expireGrant schedules a grant for removal by Sweep, unless it ends with its session at the latest.
func (t *tx) expireGrant(g storage.Grant, sessionEnd time.Time) {
	deadline := g.Deadline()
	if deadline.IsZero() {
		return
	}
	if g.Offline() || deadline.Before(sessionEnd) {
		t.scheduleExpiry(deadline, expiryGrant, []byte(g.ID))
	}
}

// truncateGrantTimes returns g with all times in whole milliseconds.
func truncateGrantTimes(g storage.Grant) storage.Grant {
	truncateTimes(&g.AuthTime, &g.Created, &g.LastUsed, &g.Expires, &g.RotatedAt)
	g.Trust = truncateTokenExpiry(g.Trust)
	return g
}

// addRefreshToken stores g's current refresh token, with the token before it as the value. Exchanged tokens stay in the
// store until the grant ends, or as long as they would have been valid without the exchange. Until then the store
// detects their reuse (RFC 9700 §4.14.2).
func (t *tx) addRefreshToken(g storage.Grant, previous storage.Hash) {
	t.put(refreshTokens, g.RefreshHash[:], append(previous[:], g.ID...))
}

// findRefreshToken finds the token before a refresh token, and its grant. grantID is empty if the token is unknown.
func (t *tx) findRefreshToken(token storage.Hash) (previous storage.Hash, grantID string) {
	value := t.get(refreshTokens, token[:])
	if len(value) <= len(previous) {
		return previous, ""
	}
	return storage.Hash(value[:len(previous)]), string(value[len(previous):])
}

// removeGrant removes a grant. It leaves the grant's tokens, which are refused without it, to Sweep. It moves the token
// expiry of an offline grant to the client session: the client may keep its own session until those tokens expire.
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
