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
	at    time.Time
	first bool            // this is the call that begins the ending: what is from the future is of a clock that was put back
	users map[string]bool // whose offline grants end, where sessions are named or overdue
}

// endOfTime is the at of a selection that asks for no beginning.
var endOfTime = time.UnixMilli(1<<53 - 1).UTC()

// takesSession tells whether a session is in the selector's scope, whenever it began.
func (c selection) takesSession(n storage.Session) bool {
	switch {
	case n.ID == c.Except || c.OfflineOnly:
		return false
	case len(c.Sessions) > 0:
		return slices.Contains(c.Sessions, n.ID)
	case c.Subject != "":
		return n.Subject == c.Subject
	case c.Overdue:
		return !c.at.Before(n.Deadline())
	default:
		return c.everywhere()
	}
}

// everywhere tells whether the selector names no user and no session.
func (c selection) everywhere() bool {
	return c.Everyone || (c.Client != "" && len(c.Sessions) == 0 && c.Subject == "" && !c.Overdue && c.Grant == "")
}

// began tells whether something that says it began then was there before the ending.
func (c selection) began(then time.Time) bool {
	return !then.After(c.at) || c.first && then.After(c.at.Add(storage.ClockStep))
}

// endsSession tells whether a session ends. One that is named by its id, which never comes again, ends even if a clock
// that was put back says that it has not begun.
func (c selection) endsSession(n storage.Session) bool {
	return c.Client == "" && c.takesSession(n) && (len(c.Sessions) > 0 || c.began(n.Created))
}

// endsMember tells whether a relying party's share of a session ends without the session.
func (c selection) endsMember(n storage.Session, m storage.Member) bool {
	began := m.Began
	if began.IsZero() {
		began = m.Joined
	}
	return c.Client != "" && m.Client == c.Client && c.began(began) && c.takesSession(n)
}

// endsOffline tells whether an offline grant ends by what it is; by the membership that it was given to it may end too.
func (c selection) endsOffline(g storage.Grant) bool {
	if !c.Offline || (c.Client != "" && g.Client != c.Client) || !c.began(g.Created) {
		return false
	}
	switch {
	case len(c.Sessions) > 0 || c.Overdue:
		return c.users[g.Subject]
	case c.Subject != "":
		return g.Subject == c.Subject
	default:
		return c.everywhere()
	}
}

// candidates walks the sessions that c may take and that follow after, each with the key it was found by.
func (t *tx) candidates(c selection, after []byte) iter.Seq2[[]byte, storage.SessionID] {
	switch {
	case c.OfflineOnly:
		return func(func([]byte, storage.SessionID) bool) {}
	case len(c.Sessions) > 0:
		return listed(c.Sessions, after)
	case c.Subject != "":
		return t.ids(userSessions, within(c.Subject), after, len(c.Subject)+1)
	case c.Overdue:
		return t.overdue(c.at, after)
	case c.Client != "":
		return t.ids(clientSessions, within(c.Client), after, len(c.Client)+1)
	case c.Everyone:
		return t.all(after)
	default:
		return func(func([]byte, storage.SessionID) bool) {}
	}
}

// listed walks the sessions of a list, each once.
func listed(list []storage.SessionID, after []byte) iter.Seq2[[]byte, storage.SessionID] {
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

// ids walks the session ids that stand in keys of a table from that place on, up to the next byte 0.
func (t *tx) ids(at table, prefix, after []byte, place int) iter.Seq2[[]byte, storage.SessionID] {
	return func(yield func([]byte, storage.SessionID) bool) {
		var last storage.SessionID
		for k := range t.after(at, prefix, after) {
			id, _, _ := bytes.Cut(k[place:], []byte{0})
			if storage.SessionID(id) == last {
				continue // a second membership of the client in one session
			}
			if last = storage.SessionID(id); !yield(k, last) {
				return
			}
		}
	}
}

// all walks every session, passing over its members.
func (t *tx) all(after []byte) iter.Seq2[[]byte, storage.SessionID] {
	return func(yield func([]byte, storage.SessionID) bool) {
		c := t.bucket(sessions).Cursor()
		next := func(k []byte) []byte { k, _ = c.Seek(append(bytes.Clone(k), 1)); return k } // its members go on with 0
		k, _ := c.First()
		if after != nil {
			k = next(after)
		}
		for ; k != nil; k = next(k) {
			if !yield(k, storage.SessionID(k)) {
				return
			}
		}
	}
}

// overdue walks the sessions that are past their deadline, the longest overdue first.
func (t *tx) overdue(at time.Time, after []byte) iter.Seq2[[]byte, storage.SessionID] {
	return func(yield func([]byte, storage.SessionID) bool) {
		for k := range t.after(deadlines, nil, after) {
			if keyTime(k).After(at) || !yield(k, storage.SessionID(k[timeLength:])) {
				return
			}
		}
	}
}

// offlineCandidates walks the offline grants that c may take and that follow after.
func (t *tx) offlineCandidates(c selection, after []byte) iter.Seq2[[]byte, storage.Grant] {
	return func(yield func([]byte, storage.Grant) bool) {
		for k := range t.offlineKeys(c, after) {
			if g, ok := t.grant(lastPart(k)); ok && !yield(k, g) {
				return
			}
		}
	}
}

// offlineKeys walks the keys of offlineCandidates.
func (t *tx) offlineKeys(c selection, after []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if c.everywhere() {
			prefix := []byte(nil)
			if c.Client != "" {
				prefix = within(c.Client)
			}
			for k := range t.after(clientOffline, prefix, after) {
				if !yield(k) {
					return
				}
			}
			return
		}
		for _, subject := range c.people() {
			prefix := within(subject)
			if c.Client != "" {
				prefix = within(subject, c.Client)
			}
			for k := range t.after(userOffline, prefix, after) {
				if !yield(k) {
					return
				}
			}
		}
	}
}

// people are the users whose offline grants c may take, in the order of keys.
func (c selection) people() []string {
	if c.Subject != "" {
		return []string{c.Subject}
	}
	list := make([]string, 0, len(c.users))
	for subject := range c.users {
		list = append(list, subject)
	}
	slices.SortFunc(list, func(a, b string) int { return bytes.Compare(within(a), within(b)) })
	return list
}
