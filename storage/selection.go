package storage

import (
	"slices"
	"strings"
	"time"
)

// Selection is a Selector with the point in the store's order at which it is evaluated. It decides which sessions,
// client sessions and offline grants a termination ends. The termination itself, its dry run, and reads during a bulk
// logout all use it.
type Selection struct {
	Selector
	Before       Sequence        // selects records that were committed earlier; 0: all records
	At           time.Time       // for Selector.Expired: selects sessions that have expired at this time
	NotAdmitted  map[string]bool // for Selector.Unadmitted: with Client the users, otherwise the clients
	OfflineUsers map[string]bool // for Selector.Sessions and Expired: the users whose offline grants end
}

// SpansAllUsers reports whether the selector selects sessions of all users.
func (s Selection) SpansAllUsers() bool {
	namesSessions := len(s.Sessions) > 0 || s.Subject != "" || s.Expired || s.Grant != "" ||
		!s.Upstream.IsZero()
	clientAlone := s.Client != "" && !namesSessions
	return s.AllUsers || clientAlone
}

// IncludesSession reports whether the selector selects a session or one of its client sessions. It does not check when
// the session was committed.
func (s Selection) IncludesSession(session Session) bool {
	switch {
	case session.ID == s.Except || s.OfflineOnly:
		return false
	case !s.Upstream.IsZero():
		return s.Upstream.includes(session.Upstream)
	case len(s.Sessions) > 0:
		return slices.Contains(s.Sessions, session.ID)
	case s.Subject != "":
		return session.Subject == s.Subject
	case s.Expired:
		return !s.At.Before(session.Deadline())
	default:
		return s.SpansAllUsers()
	}
}

// EndsSession reports whether the selection ends a whole session.
func (s Selection) EndsSession(session Session) bool {
	endsWholeSessions := s.Client == "" && !s.Unadmitted
	return endsWholeSessions && s.committedBefore(session.Sequence) && s.IncludesSession(session)
}

// EndsClientSession reports whether the selection ends a client session but not the whole session.
func (s Selection) EndsClientSession(session Session, cs ClientSession) bool {
	namesClients := s.Client != "" || s.Unadmitted
	if !namesClients || !s.includesClient(session.Subject, cs.Client) {
		return false
	}
	return s.committedBefore(cs.Sequence) && s.IncludesSession(session)
}

// EndsOfflineGrant reports whether the selection ends an offline grant because of the grant's user and client. A grant
// may also end with its client session: see EndsGrantWith.
func (s Selection) EndsOfflineGrant(g Grant) bool {
	if !s.IncludeOffline || !g.Offline() || !s.committedBefore(g.Sequence) {
		return false
	}
	if !s.includesClient(g.Subject, g.Client) {
		return false
	}
	switch {
	case len(s.Sessions) > 0 || s.Expired:
		return s.OfflineUsers[g.Subject]
	case s.Subject != "":
		return g.Subject == s.Subject
	default:
		return s.SpansAllUsers()
	}
}

// includesClient reports whether the selector selects a client for a user. It does not check the user.
func (s Selection) includesClient(subject, client string) bool {
	switch {
	case s.Client != "" && client != s.Client:
		return false
	case !s.Unadmitted:
		return true
	case s.Client != "":
		return s.NotAdmitted[subject]
	default:
		return s.NotAdmitted[client]
	}
}

// EndsGrantWith reports whether the selection ends a grant together with cs, the client session in which the grant was
// given.
func (s Selection) EndsGrantWith(g Grant, session Session, cs ClientSession) bool {
	if g.Offline() && !s.IncludeOffline {
		return false
	}
	return s.EndsSession(session) || s.EndsClientSession(session, cs)
}

// OfflineSubjects lists the users whose offline grants may end, sorted. Only selectors that do not span all users have
// such a list.
func (s Selection) OfflineSubjects() []string {
	if s.Subject != "" {
		return []string{s.Subject}
	}
	subjects := make([]string, 0, len(s.OfflineUsers))
	for subject := range s.OfflineUsers {
		subjects = append(subjects, subject)
	}
	slices.SortFunc(subjects, func(a, b string) int { return strings.Compare(a+"\x00", b+"\x00") })
	return subjects
}

func (s Selection) committedBefore(sequence Sequence) bool {
	return s.Before == 0 || sequence < s.Before
}
