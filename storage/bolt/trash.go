package bolt

import (
	"bytes"

	"github.com/curfew-id/curfew/storage"
)

// trash.go removes index entries of removed records. Such entries have random keys, so that each is on another page. A
// termination that removed them would become slower with each client of the session. It puts keys that name them into
// the trash instead, and Sweep removes them later. Until then they have no effect, because the record to which they
// lead no longer exists.

// The kinds of keys in the trash.
const (
	trashClientSession = 'm' // session, client, sid: the index entries of a client session
	trashGrant         = 'g' // session, grant → latest refresh token: a grant and its refresh tokens
	trashBoundGrants   = 'b' // session, sid: the grants of a removed client session beyond storage.MaxGrants
	trashConsents      = 'c' // client: the consents for a client
)

// discardClientSession puts the index entries of a removed client session into the trash.
func (t *tx) discardClientSession(id storage.SessionID, cs storage.ClientSession) {
	t.put(trash, append([]byte{trashClientSession}, joinKey(string(id), cs.Client, cs.SID)...), nil)
}

// discardGrant puts a removed grant and its refresh tokens into the trash.
func (t *tx) discardGrant(g storage.Grant) {
	t.put(trash, append([]byte{trashGrant}, joinKey(string(g.Session), g.ID)...), g.RefreshHash[:])
}

// discardBoundGrants puts the grants that are still bound to a client session, which is about to be removed, into the
// trash. There are such grants if the client session had more than storage.MaxGrants. They are revoked together with
// the client session.
func (t *tx) discardBoundGrants(id storage.SessionID, sid string) {
	if len(t.boundGrants(id, sid, 1)) > 0 {
		t.put(trash, append([]byte{trashBoundGrants}, joinKey(string(id), sid)...), nil)
	}
}

// discardConsents puts the consents for a removed client into the trash.
func (t *tx) discardConsents(client string) {
	t.put(trash, append([]byte{trashConsents}, client...), nil)
}

// emptyTrash removes up to limit entries that the trash names.
func (t *tx) emptyTrash(limit int) (deleted int) {
	var found [][]byte
	for k := range t.scanPrefix(trash, nil) {
		if len(found) >= limit {
			break
		}
		found = append(found, bytes.Clone(k))
	}
	for _, k := range found {
		n, done := t.emptyTrashEntry(k, limit-deleted)
		deleted += n
		if !done {
			break
		}
		t.delete(trash, k)
	}
	return deleted
}

// emptyTrashEntry removes up to limit entries that one key in the trash names. done reports whether none is left.
func (t *tx) emptyTrashEntry(key []byte, limit int) (deleted int, done bool) {
	if limit <= 0 {
		return 0, false
	}
	switch rest := key[1:]; key[0] {
	case trashClientSession:
		parts := bytes.SplitN(rest, []byte{0}, 3)
		t.delete(sessionsBySID, parts[2])
		t.delete(sessionsByClient, joinKey(parts[1], parts[0], parts[2]))
		return 1, true
	case trashGrant:
		grant := lastKeyPart(rest)
		t.delete(grants, []byte(grant))
		return t.emptyFamily(key, grant, limit)
	case trashBoundGrants:
		return t.emptyBoundGrants(rest, limit)
	default:
		return t.emptyConsents(string(rest), limit)
	}
}

// emptyBoundGrants moves up to limit grants of a removed client session into trash of their own. clientSession is the
// key of the client session.
func (t *tx) emptyBoundGrants(clientSession []byte, limit int) (deleted int, done bool) {
	var found [][]byte
	for k := range t.scanPrefix(sessions, append(bytes.Clone(clientSession), 0)) {
		if len(found) == limit {
			break
		}
		found = append(found, bytes.Clone(k))
	}
	for _, k := range found {
		t.delete(sessions, k)
		if g, ok := load[storage.Grant](t, grants, []byte(lastKeyPart(k))); ok {
			t.discardGrant(g)
		}
	}
	return len(found), len(found) < limit
}

// emptyFamily removes up to limit refresh tokens of a removed grant, the latest first. If some are left, it stores the
// next one as the value of the key in the trash.
func (t *tx) emptyFamily(key []byte, grant string, limit int) (deleted int, done bool) {
	token := storage.Hash(t.get(trash, key))
	for deleted = 1; !token.IsZero(); deleted++ {
		if deleted >= limit {
			t.put(trash, key, token[:])
			return deleted, false
		}
		previous, id := t.findRefreshToken(token)
		if id != grant {
			break
		}
		t.delete(refreshTokens, token[:])
		token = previous
	}
	return deleted, true
}

// emptyConsents removes up to limit consents for a removed client.
func (t *tx) emptyConsents(client string, limit int) (deleted int, done bool) {
	prefix := keyPrefix(client)
	var subjects []string
	for k := range t.scanPrefix(consentsByClient, prefix) {
		if len(subjects) == limit {
			break
		}
		subjects = append(subjects, string(k[len(prefix):]))
	}
	for _, subject := range subjects {
		if c, ok := load[storage.Consent](t, consents, joinKey(subject, client)); ok && !t.consentActive(c) {
			t.removeConsent(subject, client)
		}
	}
	return len(subjects), len(subjects) < limit
}
