package templates

import "time"

// Horizon says how long an ended session may still be accepted: three numbers that are never merged into one. Before
// the end it answers "what if I sign out now", after it is counted from the end.
type Horizon struct {
	OP     time.Duration // what Curfew itself enforces; 0: at once
	Tokens time.Duration // the longest that a token it gave may still be accepted; 0: at once

	Confirmed int           // apps that have confirmed; after the end only
	Over      int           // apps that have not confirmed, and whose own session has run out
	Expiring  int           // apps that certainly end within Clients
	Clients   time.Duration //
	Unknown   []string      // apps that have no bound
	Notifying int           // of those, how many are notified directly and may yet confirm
}

// HorizonTexts are the three numbers in words.
type HorizonTexts struct {
	OP      Text `json:"op"`
	Tokens  Text `json:"tokens"`
	Clients Text `json:"clients"`
	Note    Text `json:"note"` // which apps are not in the third number, by name; none: null, so that the script removes the last one
}

// ifEndedNow says what would remain if the session ended now.
func (l *locale) ifEndedNow(h Horizon) HorizonTexts {
	within := func(d time.Duration) Text {
		if d <= 0 {
			return l.text("horizon.at_once")
		}
		return l.text("horizon.within", "Duration", l.durationUp(d))
	}
	expiring := l.text("horizon.expiring_at_once", "Count", h.Expiring)
	if h.Clients > 0 {
		expiring = l.text("horizon.expiring_within", "Count", h.Expiring, "Duration", l.durationUp(h.Clients))
	}
	return l.horizonTexts(h, within, expiring)
}

// sinceEnd says what remains of a session that ended at ended.
func (l *locale) sinceEnd(h Horizon, ended, now time.Time) HorizonTexts {
	isPast := func(d time.Duration) bool { return !now.IsZero() && !now.Before(ended.Add(d)) }
	until := func(d time.Duration) Text {
		switch end := l.deadline(ended.Add(d), ended); {
		case d <= 0:
			return l.text("horizon.at_once")
		case isPast(d):
			return l.text("horizon.over", "Time", end)
		default:
			return l.text("horizon.by", "Time", end)
		}
	}
	expiring := l.text("horizon.expiring_at_once", "Count", h.Expiring)
	switch end := l.deadline(ended.Add(h.Clients), ended); {
	case h.Clients <= 0:
	case isPast(h.Clients):
		expiring = l.text("horizon.expiring_over", "Count", h.Expiring, "Time", end)
	default:
		expiring = l.text("horizon.expiring_by", "Count", h.Expiring, "Time", end)
	}
	return l.horizonTexts(h, until, expiring)
}

// horizonTexts puts the numbers together: end says when a length of time is over, expiring is the text for the apps
// with a bound.
func (l *locale) horizonTexts(h Horizon, end func(time.Duration) Text, expiring Text) HorizonTexts {
	t := HorizonTexts{OP: end(h.OP), Tokens: end(h.Tokens)}
	var clients []string
	var withTimes Text
	if h.Confirmed > 0 {
		clients = append(clients, l.text("horizon.confirmed", "Count", h.Confirmed).String())
	}
	if h.Over > 0 {
		clients = append(clients, l.text("horizon.ended", "Count", h.Over).String())
	}
	switch {
	case h.Expiring > 0 && len(clients) > 0:
		withTimes = l.text("list.last", "A", l.list(clients), "B", expiring)
	case h.Expiring > 0:
		withTimes = expiring
	case len(clients) > 0:
		withTimes = l.list(clients)
	case len(h.Unknown) == 0:
		withTimes = l.text("horizon.none")
	case h.Notifying == len(h.Unknown):
		withTimes = l.text("horizon.asked_at_once", "Count", h.Notifying)
	default:
		withTimes = l.text("horizon.unknown")
	}
	t.Clients = withTimes
	if n := len(h.Unknown); n > 0 {
		t.Note = l.text("horizon.unknown_apps", "Count", n, "Apps", h.Unknown)
		if h.Notifying > 0 {
			t.Note = join(t.Note, l.text("horizon.may_confirm", "Count", h.Notifying))
		}
	}
	return t
}
