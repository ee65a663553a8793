package bolt

import (
	"bytes"
	"iter"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// selection.go finds the candidates of a selection by an index. storage.Selection then decides about each of them.

// sessionCandidates walks the sessions that sel may select, each with its key in the index. It begins behind the key
// after; nil: at the first key.
func (t *tx) sessionCandidates(sel storage.Selection, after []byte) iter.Seq2[[]byte, storage.SessionID] {
	switch {
	case sel.OfflineOnly:
		return func(func([]byte, storage.SessionID) bool) {}
	case !sel.Upstream.IsZero():
		scope := string(sel.Upstream.Scope())
		return t.scanSessionIDs(sessionsByUpstream, keyPrefix(scope), after, len(scope)+1)
	case len(sel.Sessions) > 0:
		return uniqueSessions(sel.Sessions, after)
	case sel.Subject != "":
		return t.scanSessionIDs(sessionsByUser, keyPrefix(sel.Subject), after, len(sel.Subject)+1)
	case sel.Expired:
		return t.expiredSessions(sel.At, after)
	case sel.Client != "":
		return t.scanSessionIDs(sessionsByClient, keyPrefix(sel.Client), after, len(sel.Client)+1)
	case sel.AllUsers:
		return t.allSessions(after)
	default:
		return func(func([]byte, storage.SessionID) bool) {}
	}
}

// uniqueSessions walks the sessions of a list, each once. The key of a session is its index in the list.
func uniqueSessions(list []storage.SessionID, after []byte) iter.Seq2[[]byte, storage.SessionID] {
	return func(yield func([]byte, storage.SessionID) bool) {
		seen := make(map[storage.SessionID]bool, len(list))
		for i, id := range list {
			key := sequenceKey(uint64(i))
			follows := after == nil || bytes.Compare(key, after) > 0
			if follows && !seen[id] && !yield(key, id) {
				return
			}
			seen[id] = true
		}
	}
}

// scanSessionIDs walks the session ids in the keys of a table. The id in a key begins at offset and ends at the next
// byte 0.
func (t *tx) scanSessionIDs(tbl table, prefix, after []byte, offset int) iter.Seq2[[]byte, storage.SessionID] {
	return func(yield func([]byte, storage.SessionID) bool) {
		var last storage.SessionID
		for k := range t.scanAfter(tbl, prefix, after) {
			id, _, _ := bytes.Cut(k[offset:], []byte{0})
			if storage.SessionID(id) == last {
				continue // the client has several client sessions in this session
			}
			last = storage.SessionID(id)
			if !yield(k, last) {
				return
			}
		}
	}
}

// allSessions walks all sessions. It skips the keys of their client sessions and grants, which are in the same table.
func (t *tx) allSessions(after []byte) iter.Seq2[[]byte, storage.SessionID] {
	return func(yield func([]byte, storage.SessionID) bool) {
		c := t.bucket(sessions).Cursor()
		// nextSession returns the key of the session after id. The keys to skip are id, the byte 0, and more parts.
		nextSession := func(id []byte) []byte {
			k, _ := c.Seek(append(bytes.Clone(id), 1))
			return k
		}
		k, _ := c.First()
		if after != nil {
			k = nextSession(after)
		}
		for ; k != nil; k = nextSession(k) {
			if !yield(k, storage.SessionID(k)) {
				return
			}
		}
	}
}

// expiredSessions walks the sessions that have expired, the earliest deadline first.
func (t *tx) expiredSessions(at time.Time, after []byte) iter.Seq2[[]byte, storage.SessionID] {
	return func(yield func([]byte, storage.SessionID) bool) {
		for k := range t.scanAfter(sessionsByDeadline, nil, after) {
			if keyTime(k).After(at) || !yield(k, storage.SessionID(k[timeKeyLength:])) {
				return
			}
		}
	}
}

// offlineGrantCandidates walks the offline grants that sel may select, each with its key in the index. It begins behind
// the key after; nil: at the first key.
func (t *tx) offlineGrantCandidates(sel storage.Selection, after []byte) iter.Seq2[[]byte, storage.Grant] {
	return func(yield func([]byte, storage.Grant) bool) {
		for k := range t.offlineGrantKeys(sel, after) {
			if g, ok := t.grant(lastKeyPart(k)); ok && !yield(k, g) {
				return
			}
		}
	}
}

// offlineGrantKeys walks the index keys of offlineGrantCandidates.
func (t *tx) offlineGrantKeys(sel storage.Selection, after []byte) iter.Seq[[]byte] {
	index := offlineGrantsByUser
	var prefixes [][]byte
	switch {
	case !sel.SpansAllUsers():
		for _, subject := range sel.OfflineSubjects() {
			prefix := keyPrefix(subject)
			if sel.Client != "" {
				prefix = keyPrefix(subject, sel.Client)
			}
			prefixes = append(prefixes, prefix)
		}
	case sel.Client != "":
		index = offlineGrantsByClient
		prefixes = [][]byte{keyPrefix(sel.Client)}
	default:
		index = offlineGrantsByClient
		prefixes = [][]byte{nil} // all keys
	}
	return func(yield func([]byte) bool) {
		for _, prefix := range prefixes {
			for k := range t.scanAfter(index, prefix, after) {
				if !yield(k) {
					return
				}
			}
		}
	}
}
