package bolt

import (
	"context"
	"fmt"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// What the index by user says of a grant.
const (
	grantOffline = 'o'
	grantBound   = 's'
)

// GrantByRefresh implements storage.Grants.
func (s *Store) GrantByRefresh(ctx context.Context, token storage.Hash, at time.Time) (g storage.Grant, current bool, err error) {
	g, err = read(ctx, s, func(t *tx) (storage.Grant, error) {
		if g, ok := t.grant(string(t.get(refreshes, token[:]))); ok && t.counting(g, at) {
			return g, nil
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
		for _, g := range t.grantsOf(subject, client) {
			if (g.Offline() || !offlineOnly) && t.counting(g, at) {
				list = append(list, g)
			}
		}
		return list, nil
	})
}

// grant finds a grant.
func (t *tx) grant(id string) (storage.Grant, bool) {
	return load[storage.Grant](t, grants, []byte(id))
}

// grantsOf finds the grants of a user, or of what more of the index by user is given: client, sid.
func (t *tx) grantsOf(subject string, more ...string) (list []storage.Grant) {
	parts := []string{subject}
	for _, part := range more {
		if part == "" {
			break
		}
		parts = append(parts, part)
	}
	for k := range t.prefix(userGrants, within(parts...)) {
		if g, ok := t.grant(lastPart(k)); ok {
			list = append(list, g)
		}
	}
	return list
}

// liveGrant finds a grant that counts for a token issued under sid (empty: without a session). A session past its idle
// deadline is left to the sweep, so that a token's check reads no session.
func (t *tx) liveGrant(id, sid string, at time.Time) (storage.Grant, bool) {
	g, ok := t.grant(id)
	if !ok || !t.unexpired(g, at) || !t.parties(g) || (sid != "" && t.sidDead(sid)) || t.grantDead(g) {
		return storage.Grant{}, false
	}
	return g, true
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

// addGrant stores a new grant.
func (t *tx) addGrant(g storage.Grant) {
	kind := byte(grantBound)
	if g.Offline() {
		kind = grantOffline
		t.put(offlineGrants, join(g.Client, g.ID), nil)
	}
	t.put(userGrants, userGrantKey(g), []byte{kind})
	t.putGrant(g)
	if !g.Refresh.IsZero() {
		t.addRefresh(g, g.Refresh)
	}
	if d := g.Deadline(); !d.IsZero() {
		t.expire(d, expiryGrant, []byte(g.ID))
	}
}

// putGrant stores a grant's own record.
func (t *tx) putGrant(g storage.Grant) { t.store(grants, []byte(g.ID), g) }

// milliGrant is g in whole milliseconds.
func milliGrant(g storage.Grant) storage.Grant {
	g.AuthTime, g.Created, g.LastUsed = milli(g.AuthTime), milli(g.Created), milli(g.LastUsed)
	g.Expires, g.Rotated, g.Trust = milli(g.Expires), milli(g.Rotated), milliTrust(g.Trust)
	return g
}

// addRefresh makes a refresh token known as one of g's family, until the family ends.
func (t *tx) addRefresh(g storage.Grant, token storage.Hash) {
	t.put(refreshes, token[:], []byte(g.ID))
	t.put(families, append(within(g.ID), token[:]...), nil)
}

// removeGrant removes a grant. What names it dies with that, and is left to Sweep.
func (t *tx) removeGrant(g storage.Grant) {
	t.delete(grants, []byte(g.ID))
	t.delete(userGrants, userGrantKey(g))
	if g.Offline() {
		t.delete(offlineGrants, join(g.Client, g.ID))
	}
	if !g.Refresh.IsZero() {
		t.put(trash, append([]byte{trashFamily}, g.ID...), nil)
	}
}

func userGrantKey(g storage.Grant) []byte { return join(g.Subject, g.Client, g.SID, g.ID) }
