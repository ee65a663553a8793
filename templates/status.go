package templates

import (
	"slices"
	"time"
)

// Status is what became of a sign-out so far. The signed-out page and the report show it, and their script asks for
// it as JSON.
type Status struct {
	Heading   Text          `json:"heading,omitempty"` // the outcome; only on the signed-out page
	Summary   Text          `json:"summary"`           // the same in sentences
	Entries   []EntryStatus `json:"entries"`           // those that need attention first
	DoneTitle Text          `json:"done_title"`        // how many apps are signed out
	Horizon   *HorizonTexts `json:"horizon,omitempty"` // how long access can last; only in a report
	Done      bool          `json:"done"`              // nothing will change any more: no need to ask again

	// Settled reports whether every app that is asked directly has answered or was given up: there is nothing to wait
	// for. A re-notification half a minute later is not waited for, nor an app that cannot be asked.
	Settled bool `json:"settled"`
}

// EntryStatus is one entry with its state in words.
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
	GroupWaiting   Group = "waiting"   // it is not over, but will be, or is being asked
	GroupDone      Group = "done"      // signed out
)

var groupOrder = []Group{GroupAttention, GroupWaiting, GroupDone}

// In returns the entries of a group.
func (s Status) In(group Group) []EntryStatus {
	var in []EntryStatus
	for _, e := range s.Entries {
		if e.Group == group {
			in = append(in, e)
		}
	}
	return in
}

// Groups returns the groups in the order of the page.
func (s Status) Groups() []Group { return groupOrder }

// NewStatus describes all entries of a session that ended at ended, in the language of that tag.
func NewStatus(lang string, entries []Entry, ended, now time.Time) Status {
	l := texts().locale(lang)
	s := Status{Done: true, Settled: true, Entries: make([]EntryStatus, 0, len(entries))}
	for _, e := range entries {
		entry := EntryStatus{ID: e.ID, Application: e.Application, OpenURL: e.OpenURL, State: l.describe(e, ended, now)}
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
		s.Entries = append(s.Entries, entry)
		s.Done = s.Done && entry.Icon != IconRetrying && (entry.Icon != IconExpiring || e.Delivery != DeliveryPending)
		s.Settled = s.Settled && e.Delivery != DeliveryPending
	}
	slices.SortStableFunc(s.Entries, func(a, b EntryStatus) int {
		return slices.Index(groupOrder, a.Group) - slices.Index(groupOrder, b.Group)
	})
	s.DoneTitle = l.text("outcome.done_group", "Count", len(s.In(GroupDone)))
	s.Summary = l.summarize(entries, ended, now)
	return s
}

// outcome counts what became of the apps of a sign-out.
type outcome struct {
	all, done, confirmed         int
	attention, expiring, waiting []string // by name
	lastExpiry                   time.Time
}

// countOutcome counts the apps; their tokens and background access are not apps.
func (l *locale) countOutcome(entries []Entry, ended, now time.Time) outcome {
	var o outcome
	for _, e := range entries {
		if e.Kind != "" && e.Kind != KindClientSession {
			continue
		}
		o.all++
		switch state := l.describe(e, ended, now); {
		case state.Icon == IconDone:
			o.done++
			if e.Trust == TrustConfirmed {
				o.confirmed++
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
	return o
}

// summarize says in few sentences what became of the apps, what needs attention first.
func (l *locale) summarize(entries []Entry, ended, now time.Time) Text {
	o := l.countOutcome(entries, ended, now)
	switch {
	case o.all == 0:
		return l.text("outcome.none")
	case o.confirmed == 1 && o.all == 1:
		return l.text("outcome.confirmed_one", "App", entries[slices.IndexFunc(entries, isClientSession)].Application)
	case o.confirmed == o.all:
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
		summary = join(
			summary,
			l.text("outcome.expiring", "Count", n, "Apps", o.expiring, "Time", l.deadline(o.lastExpiry, ended)),
		)
	}
	return summary
}

// isClientSession reports whether the entry is an app's own session.
func isClientSession(e Entry) bool { return e.Kind == "" || e.Kind == KindClientSession }
