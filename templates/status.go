package templates

import (
	"slices"
	"time"
)

// Status is the current outcome of a sign-out. The signed-out page and the report show it, and their script polls it as
// JSON.
type Status struct {
	Heading   Text          `json:"heading,omitempty"` // the outcome; only on the signed-out page
	Summary   Text          `json:"summary"`           // the outcome in sentences
	Entries   []EntryStatus `json:"entries"`           // the entries that need attention first
	DoneTitle Text          `json:"done_title"`        // how many apps are signed out
	Horizon   *HorizonTexts `json:"horizon,omitempty"` // how long access can last; only in a report
	Done      bool          `json:"done"`              // the status will not change any more

	// Settled reports whether every app with a back channel has answered or was given up. Re-notifications, which come
	// half a minute later, do not count.
	Settled bool `json:"settled"`

	outcome outcome // what Heading and Summary are made of
}

// EntryStatus is one entry with its state.
type EntryStatus struct {
	ID          string `json:"id"`
	Application string `json:"application"`
	OpenURL     string `json:"-"`
	Group       Group  `json:"group"`
	State
}

// Group is the list on the page in which an entry stands.
type Group string

// The groups, in the order of the page.
const (
	GroupAttention Group = "attention" // the user may still be signed in there
	GroupWaiting   Group = "waiting"   // the app is being notified, or its session is expiring
	GroupDone      Group = "done"      // signed out
)

var groupOrder = []Group{GroupAttention, GroupWaiting, GroupDone}

// In returns the entries of a group.
func (s Status) In(group Group) []EntryStatus {
	var entries []EntryStatus
	for _, e := range s.Entries {
		if e.Group == group {
			entries = append(entries, e)
		}
	}
	return entries
}

// Groups returns the groups in the order of the page.
func (s Status) Groups() []Group { return groupOrder }

// NewStatus describes the entries of a session that ended at ended, in the language with the tag lang.
func NewStatus(lang string, entries []Entry, ended, now time.Time) Status {
	l := texts().locale(lang)
	s := Status{Done: true, Settled: true, Entries: make([]EntryStatus, 0, len(entries))}
	for _, e := range entries {
		entry := l.entryStatus(e, ended, now)
		s.Entries = append(s.Entries, entry)
		s.outcome.count(e, entry.State)
		isPending := e.Delivery == DeliveryPending
		mayChange := entry.Icon == IconRetrying || entry.Icon == IconExpiring && isPending
		s.Done = s.Done && !mayChange
		s.Settled = s.Settled && (!isPending || e.isPutOff())
	}
	slices.SortStableFunc(s.Entries, func(a, b EntryStatus) int {
		return slices.Index(groupOrder, a.Group) - slices.Index(groupOrder, b.Group)
	})
	s.DoneTitle = l.text("outcome.done_group", "Count", len(s.In(GroupDone)))
	s.Summary = l.summarize(s.outcome, ended)
	return s
}

// entryStatus describes one entry and chooses its group.
func (l *locale) entryStatus(e Entry, ended, now time.Time) EntryStatus {
	entry := EntryStatus{
		ID:          e.ID,
		Application: e.Application,
		OpenURL:     e.OpenURL,
		State:       l.describe(e, ended, now),
	}
	switch e.Kind {
	case KindAccessTokens:
		entry.Application = l.text("tokens.name", "App", e.Application).String()
	case KindOfflineAccess:
		entry.Application = l.text("background.name", "App", e.Application).String()
	}
	switch {
	case entry.NeedsAttention():
		entry.Group = GroupAttention
	case entry.Icon == IconDone:
		entry.Group = GroupDone
	default:
		entry.Group = GroupWaiting
	}
	return entry
}

// outcome counts the apps of a sign-out by their state.
type outcome struct {
	all        int
	done       int
	confirmed  []string  // of done: names of apps that have confirmed
	attention  []string  // names of apps that need attention
	expiring   []string  // names of apps whose session is expiring
	waiting    []string  // names of apps that are being notified
	lastExpiry time.Time // the latest expiry of expiring
}

// count adds an entry with its state. It leaves out the entries of access tokens and background access.
func (o *outcome) count(e Entry, state State) {
	if !isClientSession(e) {
		return
	}
	o.all++
	switch {
	case state.Icon == IconDone:
		o.done++
		if e.Trust == TrustConfirmed {
			o.confirmed = append(o.confirmed, e.Application)
		}
	case state.NeedsAttention():
		o.attention = append(o.attention, e.Application)
	case state.Icon == IconExpiring:
		o.expiring = append(o.expiring, e.Application)
		if e.ExpiresAt.After(o.lastExpiry) {
			o.lastExpiry = e.ExpiresAt
		}
	default:
		o.waiting = append(o.waiting, e.Application)
	}
}

// summarize describes the outcome in a few sentences. Apps that need attention come first.
func (l *locale) summarize(o outcome, ended time.Time) Text {
	confirmed := len(o.confirmed)
	switch {
	case o.all == 0:
		return l.text("outcome.none")
	case confirmed == 1 && o.all == 1:
		return l.text("outcome.confirmed_one", "App", o.confirmed[0])
	case confirmed == o.all:
		return l.text("outcome.confirmed_all", "Count", o.all)
	case o.done == o.all:
		return l.text("outcome.over_all", "Count", o.all)
	}
	var summary Text
	if n := len(o.attention); n > 0 {
		summary = join(summary, l.text("outcome.attention", "Count", n, "Apps", o.attention))
	}
	if n := len(o.waiting); n > 0 {
		summary = join(summary, l.text("outcome.waiting", "Count", n, "Apps", o.waiting))
	}
	if n := len(o.expiring); n > 0 {
		lastExpiry := l.deadline(o.lastExpiry, ended)
		summary = join(summary, l.text("outcome.expiring", "Count", n, "Apps", o.expiring, "Time", lastExpiry))
	}
	return summary
}

// isClientSession reports whether the entry is about a client session.
func isClientSession(e Entry) bool { return e.Kind == "" || e.Kind == KindClientSession }
