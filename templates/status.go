package templates

import "time"

// Status is what became of an ending so far. The signed-out page and the report show it, and their script asks for it as JSON.
type Status struct {
	Summary Text          `json:"summary"`           // the honest sum, first
	Entries []EntryStatus `json:"holders"`           // one for each
	Horizon *HorizonTexts `json:"numbers,omitempty"` // until when it is trusted; only in a report
	Done    bool          `json:"done"`              // nothing is under way any more: no need to ask again

	Confirmed bool `json:"confirmed"` // every one is certainly over: nothing to stay for
}

// EntryStatus is one holder with its state in words.
type EntryStatus struct {
	ID          string `json:"id"`
	Application string `json:"application"`
	State
}

// NewStatus describes all holders of a session that ended at ended.
func NewStatus(entries []Entry, ended, now time.Time) Status {
	s := Status{Summary: Summarize(entries, ended, now), Done: true, Confirmed: true, Entries: make([]EntryStatus, 0, len(entries))}
	for _, h := range entries {
		entry := EntryStatus{ID: h.ID, Application: h.Application, State: Describe(h, ended, now)}
		switch h.Kind {
		case KindAccessTokens:
			entry.Application = "Tokens of " + h.Application
		case KindOfflineAccess:
			entry.Application = "Offline access of " + h.Application
		}
		s.Entries = append(s.Entries, entry)
		s.Done = s.Done && entry.Icon != IconRetrying && (entry.Icon != IconExpiring || h.Delivery != DeliveryPending)
		s.Confirmed = s.Confirmed && entry.Icon == IconDone
	}
	return s
}

// Summarize says in few sentences how the applications stand, the good first, nothing left out.
func Summarize(entries []Entry, ended, now time.Time) Text {
	var all, confirmed, expired, expiring, retrying, notified, refused, unanswered, notNotified, unreachable []Entry
	var lastExpiry time.Time
	for _, h := range entries {
		if h.Kind != "" && h.Kind != KindClientSession {
			continue
		}
		all = append(all, h)
		switch Describe(h, ended, now).Icon {
		case IconDone:
			if h.Trust == TrustConfirmed {
				confirmed = append(confirmed, h)
			} else {
				expired = append(expired, h)
			}
		case IconExpiring:
			expiring = append(expiring, h)
			if h.ExpiresAt.After(lastExpiry) {
				lastExpiry = h.ExpiresAt
			}
		case IconRetrying:
			retrying = append(retrying, h)
		case IconNotified:
			notified = append(notified, h)
		case IconRefused:
			refused = append(refused, h)
		default:
			switch {
			case h.Delivery != DeliveryNone && h.Delivery != "":
				unanswered = append(unanswered, h)
			case len(h.Channels) > 0:
				notNotified = append(notNotified, h)
			default:
				unreachable = append(unreachable, h)
			}
		}
	}
	// who names the holders of a group: alone by its name, else by their number.
	subject := func(group []Entry) string {
		if len(all) == 1 {
			return all[0].Application
		}
		return capitalize(numberWord(len(group)))
	}
	verb := func(group []Entry, one, many string) string {
		if len(group) == 1 {
			return one
		}
		return many
	}
	var t Text
	appendSentence := func(parts ...any) {
		if len(t) > 0 {
			t = joinText(t, " ")
		}
		t = joinText(append([]any{t}, parts...)...)
	}
	switch n := len(all); {
	case n == 0:
		return joinText("No application was signed in with it.")
	case len(confirmed) == n && n == 1:
		appendSentence(subject(confirmed), " has confirmed.")
	case len(confirmed) == n && n == 2:
		appendSentence("Both applications have confirmed.")
	case len(confirmed) == n:
		appendSentence("All ", numberWord(n), " applications have confirmed.")
	case n > 1 && len(confirmed) == 0:
		yet := ""
		if len(retrying) > 0 {
			yet = " yet"
		}
		appendSentence("None of ", numberWord(n), " applications has confirmed", yet, ".")
	case n > 1:
		appendSentence(subject(confirmed), " of ", numberWord(n), " applications ", verb(confirmed, "has", "have"), " confirmed.")
	}
	if len(expired) > 0 {
		appendSentence(subject(expired), verb(expired, " has", " have"), " ended without confirming.")
	}
	if len(expiring) > 0 {
		appendSentence(subject(expiring), verb(expiring, " ends by itself by ", " end by themselves by "), deadline(lastExpiry, ended), ".")
	}
	if len(retrying) > 0 {
		appendSentence(subject(retrying), verb(retrying, " is", " are"), " still being told.")
	}
	if len(notified) > 0 {
		appendSentence(subject(notified), verb(notified, " was", " were"), " told, but gave no answer that proves anything.")
	}
	if len(refused) > 0 {
		appendSentence(subject(refused), " refused.")
	}
	if len(unanswered) > 0 {
		appendSentence(subject(unanswered), " did not answer.")
	}
	if len(notNotified) > 0 {
		appendSentence(subject(notNotified), verb(notNotified, " was", " were"), " not told.")
	}
	if len(unreachable) > 0 {
		appendSentence(subject(unreachable), " cannot be told.")
	}
	return t
}
