package bolt

import (
	"bytes"
	"encoding/binary"
	"iter"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// selection.go finds what a selection may take. What it does take, storage.Selection decides.

// sessionCandidates walks the sessions that sel may take and that follow after, each with the key by which it was
// found.
func (t *tx) sessionCandidates(sel storage.Selection, after []byte) iter.Seq2[[]byte, storage.SessionID] {
	switch {
	case sel.OfflineOnly:
		return func(func([]byte, storage.SessionID) bool) {}
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

// uniqueSessions walks the sessions of a list, each once.
func uniqueSessions(list []storage.SessionID, after []byte) iter.Seq2[[]byte, storage.SessionID] {
	return func(yield func([]byte, storage.SessionID) bool) {
		seen := make(map[storage.SessionID]bool, len(list))
		for i, id := range list {
			key := binary.BigEndian.AppendUint64(nil, uint64(i))
			if !seen[id] && bytes.Compare(key, after) > 0 || (!seen[id] && after == nil) {
				if !yield(key, id) {
					return
				}
			}
			seen[id] = true
		}
	}
}

// scanSessionIDs walks the session ids in the keys of a table: each begins at offset and ends at the next byte 0.
func (t *tx) scanSessionIDs(tbl table, prefix, after []byte, offset int) iter.Seq2[[]byte, storage.SessionID] {
	return func(yield func([]byte, storage.SessionID) bool) {
		var last storage.SessionID
		for k := range t.scanAfter(tbl, prefix, after) {
			id, _, _ := bytes.Cut(k[offset:], []byte{0})
			if storage.SessionID(id) == last {
				continue // a second client session of the client in one session
			}
			if last = storage.SessionID(id); !yield(k, last) {
				return
			}
		}
	}
}

// allSessions walks every session and passes over its client sessions.
func (t *tx) allSessions(after []byte) iter.Seq2[[]byte, storage.SessionID] {
	return func(yield func([]byte, storage.SessionID) bool) {
		c := t.bucket(sessions).Cursor()
		skipTo := func(k []byte) []byte { k, _ = c.Seek(append(bytes.Clone(k), 1)); return k } // keys of its client sessions continue with 0
		k, _ := c.First()
		if after != nil {
			k = skipTo(after)
		}
		for ; k != nil; k = skipTo(k) {
			if !yield(k, storage.SessionID(k)) {
				return
			}
		}
	}
}

// expiredSessions walks the sessions that are past their deadline, the earliest deadline first.
func (t *tx) expiredSessions(at time.Time, after []byte) iter.Seq2[[]byte, storage.SessionID] {
	return func(yield func([]byte, storage.SessionID) bool) {
		for k := range t.scanAfter(sessionsByDeadline, nil, after) {
			if keyTime(k).After(at) || !yield(k, storage.SessionID(k[timeKeyLength:])) {
				return
			}
		}
	}
}

// offlineGrantCandidates walks the offline grants that sel may take and that follow after.
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
	return func(yield func([]byte) bool) {
		if sel.SpansAllUsers() {
			prefix := []byte(nil)
			if sel.Client != "" {
				prefix = keyPrefix(sel.Client)
			}
			for k := range t.scanAfter(offlineGrantsByClient, prefix, after) {
				if !yield(k) {
					return
				}
			}
			return
		}
		for _, subject := range sel.OfflineSubjects() {
			prefix := keyPrefix(subject)
			if sel.Client != "" {
				prefix = keyPrefix(subject, sel.Client)
			}
			for k := range t.scanAfter(offlineGrantsByUser, prefix, after) {
				if !yield(k) {
					return
				}
			}
		}
	}
}
