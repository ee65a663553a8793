package templates

import "time"

// Status is what became of an ending so far. The signed-out page and the report show it, and their script asks for it as JSON.
type Status struct {
	Summary Text     `json:"summary"`           // the honest sum, first
	Holders []Line   `json:"holders"`           // one for each
	Numbers *Numbers `json:"numbers,omitempty"` // until when it is trusted; only in a report
	Done    bool     `json:"done"`              // nothing is under way any more: no need to ask again

	Confirmed bool `json:"confirmed"` // every one is certainly over: nothing to stay for
}

// Line is one holder with its state in words.
type Line struct {
	ID          string `json:"id"`
	Application string `json:"application"`
	State
}

// NewStatus describes all holders of a session that ended at ended.
func NewStatus(holders []Holder, ended, now time.Time) Status {
	s := Status{Summary: Summarize(holders, ended, now), Done: true, Confirmed: true, Holders: make([]Line, 0, len(holders))}
	for _, h := range holders {
		line := Line{ID: h.ID, Application: h.Application, State: Describe(h, ended, now)}
		switch h.Kind {
		case KindTokens:
			line.Application = "Tokens of " + h.Application
		case KindOffline:
			line.Application = "Offline access of " + h.Application
		}
		s.Holders = append(s.Holders, line)
		s.Done = s.Done && line.Icon != IconTrying && (line.Icon != IconBounded || h.Delivery != DeliveryPending)
		s.Confirmed = s.Confirmed && line.Icon == IconDone
	}
	return s
}

// Summarize says in few sentences how the applications stand, the good first, nothing left out.
func Summarize(holders []Holder, ended, now time.Time) Text {
	var all, done, gone, bounded, trying, told, refused, silent, untold, mute []Holder
	var last time.Time
	for _, h := range holders {
		if h.Kind != "" && h.Kind != KindApplication {
			continue
		}
		all = append(all, h)
		switch Describe(h, ended, now).Icon {
		case IconDone:
			if h.Trust == TrustConfirmed {
				done = append(done, h)
			} else {
				gone = append(gone, h)
			}
		case IconBounded:
			bounded = append(bounded, h)
			if h.Until.After(last) {
				last = h.Until
			}
		case IconTrying:
			trying = append(trying, h)
		case IconTold:
			told = append(told, h)
		case IconRefused:
			refused = append(refused, h)
		default:
			switch {
			case h.Delivery != DeliveryNone && h.Delivery != "":
				silent = append(silent, h)
			case len(h.Channels) > 0:
				untold = append(untold, h)
			default:
				mute = append(mute, h)
			}
		}
	}
	// who names the holders of a group: alone by its name, else by their number.
	who := func(group []Holder) string {
		if len(all) == 1 {
			return all[0].Application
		}
		return capital(number(len(group)))
	}
	verb := func(group []Holder, one, many string) string {
		if len(group) == 1 {
			return one
		}
		return many
	}
	var t Text
	say := func(parts ...any) {
		if len(t) > 0 {
			t = text(t, " ")
		}
		t = text(append([]any{t}, parts...)...)
	}
	switch n := len(all); {
	case n == 0:
		return text("No application was signed in with it.")
	case len(done) == n && n == 1:
		say(who(done), " has confirmed.")
	case len(done) == n && n == 2:
		say("Both applications have confirmed.")
	case len(done) == n:
		say("All ", number(n), " applications have confirmed.")
	case n > 1 && len(done) == 0:
		yet := ""
		if len(trying) > 0 {
			yet = " yet"
		}
		say("None of ", number(n), " applications has confirmed", yet, ".")
	case n > 1:
		say(who(done), " of ", number(n), " applications ", verb(done, "has", "have"), " confirmed.")
	}
	if len(gone) > 0 {
		say(who(gone), verb(gone, " has", " have"), " ended without confirming.")
	}
	if len(bounded) > 0 {
		say(who(bounded), verb(bounded, " ends by itself by ", " end by themselves by "), deadline(last, ended), ".")
	}
	if len(trying) > 0 {
		say(who(trying), verb(trying, " is", " are"), " still being told.")
	}
	if len(told) > 0 {
		say(who(told), verb(told, " was", " were"), " told, but gave no answer that proves anything.")
	}
	if len(refused) > 0 {
		say(who(refused), " refused.")
	}
	if len(silent) > 0 {
		say(who(silent), " did not answer.")
	}
	if len(untold) > 0 {
		say(who(untold), verb(untold, " was", " were"), " not told.")
	}
	if len(mute) > 0 {
		say(who(mute), " cannot be told.")
	}
	return t
}
