package storage

import (
	"slices"
	"strings"
	"time"
)

// Selection is a Selector at one point of the store's order. It decides which sessions, client sessions and offline
// grants a termination ends: for the termination itself, for its dry run, and for reads while a bulk logout is under
// way.
type Selection struct {
	Selector
	Before       Sequence        // takes only what was committed before it; 0 takes everything in the store
	At           time.Time       // decides which sessions have expired, for Selector.Expired
	OfflineUsers map[string]bool // whose offline grants end, where the selector names sessions or takes expired ones
}

// SpansAllUsers reports whether the selector names no user, session or grant.
func (s Selection) SpansAllUsers() bool {
	return s.AllUsers || s.Client != "" && len(s.Sessions) == 0 && s.Subject == "" && !s.Expired && s.Grant == ""
}

// IncludesSession reports whether a session is within the selector's reach, no matter when it was committed and whether
// all of it ends or only one client session.
func (s Selection) IncludesSession(session Session) bool {
	switch {
	case session.ID == s.Except || s.OfflineOnly:
		return false
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

// EndsSession reports whether a whole session ends.
func (s Selection) EndsSession(session Session) bool {
	return s.Client == "" && s.committedBefore(session.Sequence) && s.IncludesSession(session)
}

// EndsClientSession reports whether a client session ends while its session goes on.
func (s Selection) EndsClientSession(session Session, cs ClientSession) bool {
	return s.Client != "" && cs.Client == s.Client && s.committedBefore(cs.Sequence) && s.IncludesSession(session)
}

// EndsOfflineGrant reports whether an offline grant ends by its own user and client. It may also end together with the
// client session in which it was given.
func (s Selection) EndsOfflineGrant(g Grant) bool {
	if !s.IncludeOffline || !g.Offline() || s.Client != "" && g.Client != s.Client || !s.committedBefore(g.Sequence) {
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

// EndsGrantWith reports whether a grant ends with the client session in which it was given.
func (s Selection) EndsGrantWith(g Grant, session Session, cs ClientSession) bool {
	return (s.IncludeOffline || !g.Offline()) && (s.EndsSession(session) || s.EndsClientSession(session, cs))
}

// OfflineSubjects lists the users whose offline grants may end, sorted; it is for selectors that do not span all users.
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
