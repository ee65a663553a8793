package bolt

import (
	"bytes"
	"encoding/binary"
	"iter"
	"slices"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// selection is a selector as of an instant. What a selector takes is decided here and nowhere else: for the ending
// itself, for its dry run, and for the reads that must already see it.
type selection struct {
	storage.Selector
	asOf         time.Time
	firstCall    bool            // this is the call that begins the ending: what is from the future is of a clock that was put back
	offlineUsers map[string]bool // whose offline grants end, where sessions are named or overdue
}

// endOfTime is the at of a selection that asks for no beginning.
var endOfTime = time.UnixMilli(1<<53 - 1).UTC()

// selectsSession tells whether a session is in the selector's scope, whenever it began.
func (sel selection) selectsSession(session storage.Session) bool {
	switch {
	case session.ID == sel.Except || sel.OfflineOnly:
		return false
	case len(sel.Sessions) > 0:
		return slices.Contains(sel.Sessions, session.ID)
	case sel.Subject != "":
		return session.Subject == sel.Subject
	case sel.Expired:
		return !sel.asOf.Before(session.Deadline())
	default:
		return sel.spansAllUsers()
	}
}

// spansAllUsers tells whether the selector names no user and no session.
func (sel selection) spansAllUsers() bool {
	return sel.AllUsers || (sel.Client != "" && len(sel.Sessions) == 0 && sel.Subject == "" && !sel.Expired && sel.Grant == "")
}

// existedAtStart tells whether something that says it began then was there before the ending.
func (sel selection) existedAtStart(created time.Time) bool {
	return !created.After(sel.asOf) || sel.firstCall && created.After(sel.asOf.Add(storage.ClockStep))
}

// endsSession tells whether a session ends. One that is named by its id, which never comes again, ends even if a clock
// that was put back says that it has not begun.
func (sel selection) endsSession(session storage.Session) bool {
	return sel.Client == "" && sel.selectsSession(session) && (len(sel.Sessions) > 0 || sel.existedAtStart(session.Created))
}

// endsClientSession tells whether a relying party's share of a session ends without the session.
func (sel selection) endsClientSession(session storage.Session, cs storage.ClientSession) bool {
	start := cs.CodeIssued
	if start.IsZero() {
		start = cs.Joined
	}
	return sel.Client != "" && cs.Client == sel.Client && sel.existedAtStart(start) && sel.selectsSession(session)
}

// endsOfflineGrant tells whether an offline grant ends by what it is; by the membership that it was given to it may end too.
func (sel selection) endsOfflineGrant(g storage.Grant) bool {
	if !sel.IncludeOffline || (sel.Client != "" && g.Client != sel.Client) || !sel.existedAtStart(g.Created) {
		return false
	}
	switch {
	case len(sel.Sessions) > 0 || sel.Expired:
		return sel.offlineUsers[g.Subject]
	case sel.Subject != "":
		return g.Subject == sel.Subject
	default:
		return sel.spansAllUsers()
	}
}

// sessionCandidates walks the sessions that c may take and that follow after, each with the key it was found by.
func (t *tx) sessionCandidates(sel selection, after []byte) iter.Seq2[[]byte, storage.SessionID] {
	switch {
	case sel.OfflineOnly:
		return func(func([]byte, storage.SessionID) bool) {}
	case len(sel.Sessions) > 0:
		return uniqueSessions(sel.Sessions, after)
	case sel.Subject != "":
		return t.scanSessionIDs(sessionsByUser, keyPrefix(sel.Subject), after, len(sel.Subject)+1)
	case sel.Expired:
		return t.expiredSessions(sel.asOf, after)
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

// scanSessionIDs walks the session ids that stand in keys of a table from that place on, up to the next byte 0.
func (t *tx) scanSessionIDs(tbl table, prefix, after []byte, offset int) iter.Seq2[[]byte, storage.SessionID] {
	return func(yield func([]byte, storage.SessionID) bool) {
		var last storage.SessionID
		for k := range t.scanAfter(tbl, prefix, after) {
			id, _, _ := bytes.Cut(k[offset:], []byte{0})
			if storage.SessionID(id) == last {
				continue // a second membership of the client in one session
			}
			if last = storage.SessionID(id); !yield(k, last) {
				return
			}
		}
	}
}

// allSessions walks every session, passing over its members.
func (t *tx) allSessions(after []byte) iter.Seq2[[]byte, storage.SessionID] {
	return func(yield func([]byte, storage.SessionID) bool) {
		c := t.bucket(sessions).Cursor()
		skipTo := func(k []byte) []byte { k, _ = c.Seek(append(bytes.Clone(k), 1)); return k } // its members go on with 0
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

// expiredSessions walks the sessions that are past their deadline, the longest overdue first.
func (t *tx) expiredSessions(at time.Time, after []byte) iter.Seq2[[]byte, storage.SessionID] {
	return func(yield func([]byte, storage.SessionID) bool) {
		for k := range t.scanAfter(sessionsByDeadline, nil, after) {
			if keyTime(k).After(at) || !yield(k, storage.SessionID(k[timeKeyLength:])) {
				return
			}
		}
	}
}

// offlineGrantCandidates walks the offline grants that c may take and that follow after.
func (t *tx) offlineGrantCandidates(sel selection, after []byte) iter.Seq2[[]byte, storage.Grant] {
	return func(yield func([]byte, storage.Grant) bool) {
		for k := range t.offlineGrantKeys(sel, after) {
			if g, ok := t.grant(lastKeyPart(k)); ok && !yield(k, g) {
				return
			}
		}
	}
}

// offlineGrantKeys walks the keys of offlineCandidates.
func (t *tx) offlineGrantKeys(sel selection, after []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if sel.spansAllUsers() {
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
		for _, subject := range sel.subjects() {
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

// subjects are the users whose offline grants c may take, in the order of keys.
func (sel selection) subjects() []string {
	if sel.Subject != "" {
		return []string{sel.Subject}
	}
	list := make([]string, 0, len(sel.offlineUsers))
	for subject := range sel.offlineUsers {
		list = append(list, subject)
	}
	slices.SortFunc(list, func(a, b string) int { return bytes.Compare(keyPrefix(a), keyPrefix(b)) })
	return list
}
