package templates

import (
	"strconv"
	"time"
)

// Horizon says how long an ended session may still be trusted: three numbers that are never merged into one. Before the end it
// answers "what if I sign out now", after it is counted from the end.
type Horizon struct {
	Op     time.Duration // what Curfew itself enforces; 0: at once
	Tokens time.Duration // the longest that a token it gave may still be accepted; 0: at once

	Confirmed int           // applications that have confirmed; after the end only
	Over      int           // applications that have not confirmed, and whose own session has run out
	Within    int           // applications that certainly end within Apps
	Apps      time.Duration //
	Unknown   []string      // applications that have no bound
	Told      int           // of those, how many are told directly and may yet confirm
}

// Numbers are the three numbers in words.
type Numbers struct {
	Here         Text `json:"here"`
	Tokens       Text `json:"tokens"`
	Applications Text `json:"applications"`
	Note         Text `json:"note"` // who is not in the third number, by name; nobody: null, so that the script takes the last one away
}

// Before says what would remain if the session ended now.
func (h Horizon) Before() Numbers {
	within := func(d time.Duration) string {
		if d <= 0 {
			return "at once"
		}
		return "within " + atMost(d)
	}
	return h.numbers(func(d time.Duration) Text { return text(within(d)) })
}

// After says what remains of a session that ended at ended.
func (h Horizon) After(ended, now time.Time) Numbers {
	return h.numbers(func(d time.Duration) Text {
		switch {
		case d <= 0:
			return text("at once")
		case !now.IsZero() && !now.Before(ended.Add(d)):
			return text("over since ", deadline(ended.Add(d), ended))
		}
		return text("by ", deadline(ended.Add(d), ended))
	})
}

func (h Horizon) numbers(end func(time.Duration) Text) Numbers {
	n := Numbers{Here: end(h.Op), Tokens: end(h.Tokens)}
	var parts []any
	add := func(p ...any) {
		if len(parts) > 0 {
			parts = append(parts, ", ")
		}
		parts = append(parts, p...)
	}
	if h.Confirmed > 0 {
		add(strconv.Itoa(h.Confirmed), " confirmed")
	}
	if h.Over > 0 {
		add(strconv.Itoa(h.Over), " ended")
	}
	if h.Within > 0 {
		add(strconv.Itoa(h.Within), " ", end(h.Apps))
	}
	if len(parts) == 0 {
		switch {
		case len(h.Unknown) == 0:
			add("none")
		case h.Told == len(h.Unknown):
			add(strconv.Itoa(h.Told), " told at once")
		default:
			add("unknown")
		}
	}
	n.Applications = text(parts...)

	if len(h.Unknown) > 0 {
		n.Note = text(strconv.Itoa(len(h.Unknown)), " unknown: ", list(h.Unknown))
		switch {
		case h.Told > 0 && len(h.Unknown) == 1:
			n.Note = text(n.Note, "; told directly and may confirm")
		case h.Told > 0:
			n.Note = text(n.Note, "; ", strconv.Itoa(h.Told), " of them told directly and may confirm")
		}
	}
	return n
}

// Line is Before as the end of a sentence: "here at once, tokens within 11 min, applications 4 within 2 min, 1 unknown.".
func (h Horizon) Line() string {
	n := h.Before()
	applications := n.Applications.String()
	if len(h.Unknown) > 0 {
		unknown := strconv.Itoa(len(h.Unknown)) + " unknown"
		switch {
		case h.Told == len(h.Unknown):
			unknown += " should " + choose(h.Told, "it", "they") + " not confirm"
		case h.Told > 0:
			unknown += ", of which " + strconv.Itoa(h.Told) + " may confirm"
		}
		if applications == "unknown" {
			applications = unknown
		} else {
			applications += ", " + unknown
		}
	}
	return "here " + n.Here.String() + ", tokens " + n.Tokens.String() + ", applications " + applications + "."
}
