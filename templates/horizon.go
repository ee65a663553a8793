package templates

import (
	"strconv"
	"time"
)

// Horizon says how long an ended session may still be trusted: three numbers that are never merged into one. Before the end it
// answers "what if I sign out now", after it is counted from the end.
type Horizon struct {
	OP     time.Duration // what Curfew itself enforces; 0: at once
	Tokens time.Duration // the longest that a token it gave may still be accepted; 0: at once

	Confirmed int           // applications that have confirmed; after the end only
	Over      int           // applications that have not confirmed, and whose own session has run out
	Expiring  int           // applications that certainly end within Apps
	Clients   time.Duration //
	Unknown   []string      // applications that have no bound
	Notifying int           // of those, how many are told directly and may yet confirm
}

// HorizonTexts are the three numbers in words.
type HorizonTexts struct {
	OP      Text `json:"here"`
	Tokens  Text `json:"tokens"`
	Clients Text `json:"applications"`
	Note    Text `json:"note"` // who is not in the third number, by name; nobody: null, so that the script takes the last one away
}

// IfEndedNow says what would remain if the session ended now.
func (h Horizon) IfEndedNow() HorizonTexts {
	within := func(d time.Duration) string {
		if d <= 0 {
			return "at once"
		}
		return "within " + formatDurationUp(d)
	}
	return h.describe(func(d time.Duration) Text { return joinText(within(d)) })
}

// SinceEnd says what remains of a session that ended at ended.
func (h Horizon) SinceEnd(ended, now time.Time) HorizonTexts {
	return h.describe(func(d time.Duration) Text {
		switch {
		case d <= 0:
			return joinText("at once")
		case !now.IsZero() && !now.Before(ended.Add(d)):
			return joinText("over since ", deadline(ended.Add(d), ended))
		}
		return joinText("by ", deadline(ended.Add(d), ended))
	})
}

func (h Horizon) describe(end func(time.Duration) Text) HorizonTexts {
	n := HorizonTexts{OP: end(h.OP), Tokens: end(h.Tokens)}
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
	if h.Expiring > 0 {
		add(strconv.Itoa(h.Expiring), " ", end(h.Clients))
	}
	if len(parts) == 0 {
		switch {
		case len(h.Unknown) == 0:
			add("none")
		case h.Notifying == len(h.Unknown):
			add(strconv.Itoa(h.Notifying), " told at once")
		default:
			add("unknown")
		}
	}
	n.Clients = joinText(parts...)

	if len(h.Unknown) > 0 {
		n.Note = joinText(strconv.Itoa(len(h.Unknown)), " unknown: ", joinNames(h.Unknown))
		switch {
		case h.Notifying > 0 && len(h.Unknown) == 1:
			n.Note = joinText(n.Note, "; told directly and may confirm")
		case h.Notifying > 0:
			n.Note = joinText(n.Note, "; ", strconv.Itoa(h.Notifying), " of them told directly and may confirm")
		}
	}
	return n
}

// Sentence is Before as the end of a sentence: "here at once, tokens within 11 min, applications 4 within 2 min, 1 unknown.".
func (h Horizon) Sentence() string {
	n := h.IfEndedNow()
	applications := n.Clients.String()
	if len(h.Unknown) > 0 {
		unknown := strconv.Itoa(len(h.Unknown)) + " unknown"
		switch {
		case h.Notifying == len(h.Unknown):
			unknown += " should " + chooseForm(h.Notifying, "it", "they") + " not confirm"
		case h.Notifying > 0:
			unknown += ", of which " + strconv.Itoa(h.Notifying) + " may confirm"
		}
		if applications == "unknown" {
			applications = unknown
		} else {
			applications += ", " + unknown
		}
	}
	return "here " + n.OP.String() + ", tokens " + n.Tokens.String() + ", applications " + applications + "."
}
