package bolt

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// GrantByRefresh implements storage.Grants.
func (s *Store) GrantByRefresh(ctx context.Context, token storage.Hash, at time.Time) (g storage.Grant, current bool, err error) {
	g, err = read(ctx, s, func(t *tx) (storage.Grant, error) {
		if _, id := t.refreshToken(token); id != "" {
			if g, ok := t.grant(id); ok && t.counting(g, at) {
				return g, nil
			}
		}
		return storage.Grant{}, fmt.Errorf("find grant of a refresh token: %w", storage.ErrNotFound)
	})
	return g, err == nil && g.Refresh == token, err
}

// LiveGrant implements storage.Grants. When the token was issued decides nothing here: what ended takes its sid and its
// grant along, and neither comes again.
func (s *Store) LiveGrant(ctx context.Context, id, sid string, _, at time.Time) (storage.Grant, error) {
	return read(ctx, s, func(t *tx) (storage.Grant, error) {
		if g, ok := t.liveGrant(id, sid, at); ok {
			return g, nil
		}
		return storage.Grant{}, fmt.Errorf("find grant: %w", storage.ErrNotFound)
	})
}

// ListGrants implements storage.Grants.
func (s *Store) ListGrants(ctx context.Context, subject, client string, offlineOnly bool, at time.Time) ([]storage.Grant, error) {
	return read(ctx, s, func(t *tx) (list []storage.Grant, err error) {
		found := t.offlineGrants(subject, client)
		if !offlineOnly {
			for k := range t.prefix(userSessions, within(subject)) {
				found = append(found, t.boundGrants(storage.SessionID(lastPart(k)), "")...)
			}
		}
		for _, g := range found {
			if (client == "" || g.Client == client) && t.counting(g, at) {
				list = append(list, g)
			}
		}
		return list, nil
	})
}

// grant finds a grant. One that is bound to a session counts as long as it has its place there.
func (t *tx) grant(id string) (storage.Grant, bool) {
	g, ok := load[storage.Grant](t, grants, []byte(id))
	if !ok || (!g.Offline() && t.get(sessions, placeOf(g)) == nil) {
		return storage.Grant{}, false
	}
	return g, true
}

// placeOf is a bound grant's place in its session.
func placeOf(g storage.Grant) []byte { return join(string(g.Session), g.SID, g.ID) }

// boundGrants finds the grants of a session, or of one membership.
func (t *tx) boundGrants(id storage.SessionID, sid string) (list []storage.Grant) {
	prefix := within(string(id))
	if sid != "" {
		prefix = within(string(id), sid)
	}
	for k := range t.prefix(sessions, prefix) {
		if bytes.Count(k[len(id):], []byte{0}) < 2 {
			continue // a member
		}
		if g, ok := t.grant(lastPart(k)); ok {
			list = append(list, g)
		}
	}
	return list
}

// offlineGrants finds the offline grants of a user, of one client or (empty) all.
func (t *tx) offlineGrants(subject, client string) (list []storage.Grant) {
	prefix := within(subject)
	if client != "" {
		prefix = within(subject, client)
	}
	for k := range t.prefix(userOffline, prefix) {
		if g, ok := t.grant(lastPart(k)); ok {
			list = append(list, g)
		}
	}
	return list
}

// liveGrant finds a grant that counts for a token issued under sid (empty: without a session). A session past its idle
// deadline is left to the sweep while that keeps up, so that a token's check reads no session. A bound grant that has its place has the
// membership that it was given to.
func (t *tx) liveGrant(id, sid string, at time.Time) (storage.Grant, bool) {
	g, ok := t.grant(id)
	if !ok || !t.unexpired(g, at) || !t.parties(g) || (sid != "" && (g.Offline() || g.SID != sid) && t.sidDead(sid)) || t.grantDead(g) {
		return storage.Grant{}, false
	}
	if t.sweptLate(at) && !t.sessionInTime(g, sid, at) {
		return storage.Grant{}, false
	}
	return g, true
}

// sweptLate tells whether the session that is longest past its deadline has waited for too long to be ended.
func (t *tx) sweptLate(at time.Time) bool {
	k, _ := t.bucket(deadlines).Cursor().First()
	return k != nil && keyTime(k).Add(storage.SweepDelay).Before(at)
}

// sessionInTime tells whether the session of a token, if it has one, is before its deadline.
func (t *tx) sessionInTime(g storage.Grant, sid string, at time.Time) bool {
	id := g.Session
	if sid != "" {
		id = storage.SessionID(t.get(sids, []byte(sid)))
	}
	if id == "" {
		return true
	}
	n, ok := t.sessionRecord(id)
	return ok && at.Before(n.Deadline())
}

// counting tells whether a grant counts at that moment, and its session, where it is bound to one, is alive.
func (t *tx) counting(g storage.Grant, at time.Time) bool {
	if !t.unexpired(g, at) || !t.parties(g) || t.grantDead(g) {
		return false
	}
	if g.Offline() {
		return true
	}
	n, ok := t.sessionRecord(g.Session)
	return ok && t.alive(n, at)
}

// unexpired tells whether a grant is before its own deadline.
func (t *tx) unexpired(g storage.Grant, at time.Time) bool {
	d := g.Deadline()
	return d.IsZero() || at.Before(d)
}

// parties tells whether a grant's client and user are there and enabled.
func (t *tx) parties(g storage.Grant) bool { return t.client(g.Client) != nil && t.enabled(g.Subject) }

// addGrant stores a new grant; end is the absolute end of the session it was given in.
func (t *tx) addGrant(g storage.Grant, end time.Time) {
	if g.Offline() {
		t.put(userOffline, join(g.Subject, g.Client, g.ID), nil)
		t.put(clientOffline, join(g.Client, g.ID), nil)
	} else {
		t.put(sessions, placeOf(g), []byte{1})
	}
	t.putGrant(g)
	t.expireGrant(g, end)
	if !g.Refresh.IsZero() {
		t.addRefresh(g, storage.Hash{})
	}
}

// putGrant stores a grant's own record.
func (t *tx) putGrant(g storage.Grant) { t.store(grants, []byte(g.ID), g) }

// expireGrant puts a grant where Sweep will find it, unless it dies with its session anyway.
func (t *tx) expireGrant(g storage.Grant, end time.Time) {
	if d := g.Deadline(); !d.IsZero() && (g.Offline() || d.Before(end)) {
		t.expire(d, expiryGrant, []byte(g.ID))
	}
}

// milliGrant is g in whole milliseconds.
func milliGrant(g storage.Grant) storage.Grant {
	g.AuthTime, g.Created, g.LastUsed = milli(g.AuthTime), milli(g.Created), milli(g.LastUsed)
	g.Expires, g.Rotated, g.Trust = milli(g.Expires), milli(g.Rotated), milliTrust(g.Trust)
	return g
}

// addRefresh makes g's current refresh token known, and the one before it as what it is. A family's tokens stay known until it ends, or for as
// long as they would have lived unused, so that reuse of any of them shows (RFC 9700 §4.14.2).
func (t *tx) addRefresh(g storage.Grant, before storage.Hash) {
	t.put(refreshes, g.Refresh[:], append(before[:], g.ID...))
}

// refreshToken finds the family of a refresh token and the token before it; id is empty if it is unknown.
func (t *tx) refreshToken(token storage.Hash) (before storage.Hash, id string) {
	value := t.get(refreshes, token[:])
	if len(value) <= len(before) {
		return before, ""
	}
	return storage.Hash(value[:len(before)]), string(value[len(before):])
}

// removeGrant ends a grant. What names it dies with that, and is left to Sweep. What offline access gave stays in mind with its membership, for the
// application's own session may go by it.
func (t *tx) removeGrant(g storage.Grant) {
	if g.Offline() {
		if n, m, ok := t.holder(g.SID); ok {
			m.Trust.Extend(g.Trust)
			t.putMember(n.ID, m, false)
		}
		t.delete(grants, []byte(g.ID))
		t.delete(userOffline, join(g.Subject, g.Client, g.ID))
		t.delete(clientOffline, join(g.Client, g.ID))
	} else {
		t.delete(sessions, placeOf(g))
	}
	t.discardGrant(g)
}
