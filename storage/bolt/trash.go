package bolt

import (
	"bytes"

	"github.com/curfew-id/curfew/storage"
)

// trash.go removes what ended records leave behind. An ending touches only pages that the session has for itself, so that a
// person with a hundred applications is answered as fast as one with three; what lies scattered by random keys is named in
// the trash and removed later, in chunks. None of it counts meanwhile: it leads to a session, a member or a grant's place
// that is gone.

// What a key in the trash names.
const (
	trashMember   = 'm' // session, client, sid: the ways to a membership that ended
	trashGrant    = 'g' // session, grant → its last refresh token: a grant that ended, and its family
	trashConsents = 'c' // client: the consents to a client that was removed
)

// discardMember names the ways to a membership that ended.
func (t *tx) discardMember(id storage.SessionID, m storage.Member) {
	t.put(trash, append([]byte{trashMember}, join(string(id), m.Client, m.SID)...), nil)
}

// discardGrant names a grant that ended.
func (t *tx) discardGrant(g storage.Grant) {
	t.put(trash, append([]byte{trashGrant}, join(string(g.Session), g.ID)...), g.Refresh[:])
}

// discardConsents names the consents to a client that was removed.
func (t *tx) discardConsents(client string) {
	t.put(trash, append([]byte{trashConsents}, client...), nil)
}

// emptyTrash removes up to limit of what ended records left behind.
func (t *tx) emptyTrash(limit int) (gone int) {
	var found [][]byte
	for k := range t.prefix(trash, nil) {
		if len(found) >= limit {
			break
		}
		found = append(found, bytes.Clone(k))
	}
	for _, k := range found {
		n, all := t.empty(k, limit-gone)
		if gone += n; !all {
			break
		}
		t.delete(trash, k)
	}
	return gone
}

// empty removes up to limit of what one key names, and says whether that was all.
func (t *tx) empty(key []byte, limit int) (gone int, all bool) {
	if limit <= 0 {
		return 0, false
	}
	switch rest := key[1:]; key[0] {
	case trashMember:
		parts := bytes.SplitN(rest, []byte{0}, 3)
		t.delete(sids, parts[2])
		t.delete(clientSessions, join(parts[1], parts[0], parts[2]))
		return 1, true
	case trashGrant:
		grant := lastPart(rest)
		t.delete(grants, []byte(grant))
		return t.emptyFamily(key, grant, limit)
	default:
		return t.emptyConsents(string(rest), limit)
	}
}

// emptyFamily removes up to limit refresh tokens of a grant that ended, from the latest back; the key keeps where to go on.
func (t *tx) emptyFamily(key []byte, grant string, limit int) (gone int, all bool) {
	token := storage.Hash(t.get(trash, key))
	for gone = 1; !token.IsZero(); gone++ {
		if gone >= limit {
			t.put(trash, key, token[:])
			return gone, false
		}
		before, id := t.refreshToken(token)
		if id != grant {
			break
		}
		t.delete(refreshes, token[:])
		token = before
	}
	return gone, true
}

// emptyConsents removes up to limit consents to a client that was removed.
func (t *tx) emptyConsents(client string, limit int) (gone int, all bool) {
	prefix := within(client)
	var subjects []string
	for k := range t.prefix(clientConsents, prefix) {
		if len(subjects) == limit {
			break
		}
		subjects = append(subjects, string(k[len(prefix):]))
	}
	for _, subject := range subjects {
		if c, ok := load[storage.Consent](t, consents, join(subject, client)); ok && !t.counts(c) {
			t.removeConsent(subject, client)
		}
	}
	return len(subjects), len(subjects) < limit
}
