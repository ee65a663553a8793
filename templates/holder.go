package templates

import (
	"slices"
	"strconv"
	"time"
)

// Trust is what is known about a holder after the end.
type Trust string

// The trust states.
const (
	TrustClosed    Trust = "closed"    // Curfew enforces it
	TrustConfirmed Trust = "confirmed" // the holder says so
	TrustBounded   Trust = "bounded"   // ends by itself at Until
	TrustTold      Trust = "told"      // asked or accepted, no proof
	TrustUnknown   Trust = "unknown"   // nothing is known
)

// Delivery is where telling a holder stands.
type Delivery string

// The delivery states.
const (
	DeliveryNone      Delivery = "none"
	DeliveryPending   Delivery = "pending"
	DeliveryDone      Delivery = "done"
	DeliveryFailed    Delivery = "failed"
	DeliveryCancelled Delivery = "cancelled" // by an administrator
)

// The kinds of holders.
const (
	KindApplication = "application" // the session that an application made for itself; also when Kind is empty
	KindTokens      = "tokens"      // access tokens it was given
	KindOffline     = "offline"     // its access without the person
)

// The channels by which a holder is told.
const (
	ChannelBack  = "backchannel"
	ChannelFront = "frontchannel"
)

// Holder is one place where an ended session may still be trusted, as the report knows it.
type Holder struct {
	ID          string // names the row for the script; opaque
	Kind        string
	Application string
	Channels    []string // ChannelBack, ChannelFront
	Trust       Trust
	Delivery    Delivery
	Told        time.Time // confirmed or accepted then
	Until       time.Time // bounded: the hard end
	Attempts    int
	Next        time.Time // the next attempt
	Status      int       // of the last answer; 0: none came
	Class       string    // why none came: refused, denied, dns, tls, timeout …
	Late        string    // a second telling: pending, done, failed
}

// State is a holder's state as a person reads it: an icon, a word and a sentence.
type State struct {
	Icon     Icon `json:"icon"`
	Word     Text `json:"word"`
	Sentence Text `json:"sentence"`
}

// Icon names a drawing, and the colour that goes with it.
type Icon string

// The icons.
const (
	IconDone    Icon = "done"    // a tick
	IconBounded Icon = "bounded" // a clock
	IconTold    Icon = "told"    // a speech bubble
	IconTrying  Icon = "trying"  // an arrow going round
	IconRefused Icon = "refused" // a cross
	IconUnknown Icon = "unknown" // a question mark
)

// Describe puts the state of a holder of a session that ended at ended in words. It is the one mapping, for the signed-out page,
// its status as JSON and the report. A loaded front-channel frame is never called confirmed: Front-Channel Logout 1.0 knows no
// answer, and a frame loads for errors too.
func Describe(h Holder, ended, now time.Time) State {
	switch h.Kind {
	case KindTokens:
		return describeTokens(h, ended, now)
	case KindOffline:
		if h.Trust == TrustClosed {
			return State{IconDone, text("Ended"), text("It is refused here from now on.")}
		}
		return State{IconUnknown, text("Stays"), text("Access while you are away is no part of a session. It is ended under Applications.")}
	}
	end := deadline(h.Until, ended)
	switch {
	case h.Trust == TrustConfirmed:
		return State{IconDone, text("Confirmed"), text(confirmed(h, ended))}
	case over(h, now) && !h.Until.IsZero():
		return State{IconDone, text("Ended"), text("It did not confirm, but its own session ran out by ", end, ".")}
	case over(h, now):
		return State{IconDone, text("Ended"), text("It is refused here from now on.")}
	case h.Trust == TrustBounded && !h.Until.IsZero():
		return State{IconBounded, text("Ends by ", end), text(telling(h, ended), " Its own session runs out by ", end, ".")}
	case h.Late == string(DeliveryPending) && h.Trust == TrustTold && h.Delivery == DeliveryDone:
		return State{IconTrying, text("Answered, told again"), telling(h, ended)}
	case h.Delivery == DeliveryPending:
		return State{IconTrying, text("Still trying"), telling(h, ended)}
	case h.Trust == TrustTold:
		return State{IconTold, text("Told, no answer to be had"), telling(h, ended)}
	case h.Delivery == DeliveryFailed && h.Status != 0 && h.Status/100 != 2:
		return State{IconRefused, text("Refused"), text(telling(h, ended), yourself)}
	}
	return State{IconUnknown, text("Unknown"), text(telling(h, ended), yourself)}
}

const yourself = " Sign out there yourself, or close it."

// describeTokens is for access tokens, which nobody is told about.
func describeTokens(h Holder, ended, now time.Time) State {
	end := deadline(h.Until, ended)
	switch {
	case over(h, now) && !h.Until.IsZero():
		return State{IconDone, text("Ended"), text("The last of them expired by ", end, ".")}
	case over(h, now):
		return State{IconDone, text("Ended"), text("They are refused here from now on.")}
	case h.Trust == TrustBounded && !h.Until.IsZero():
		return State{IconBounded, text("Ends by ", end), text("Where they are checked without asking here, the last of them expires by ", end, ".")}
	}
	return State{IconUnknown, text("Unknown"), text("Nobody can say how long they are accepted.")}
}

// over tells whether nothing is trusted any more by enforcement or by time.
func over(h Holder, now time.Time) bool {
	return h.Trust == TrustClosed || h.Trust == TrustBounded && !h.Until.IsZero() && !now.IsZero() && !now.Before(h.Until)
}

// confirmed says how and when a holder confirmed, and that a holder that had joined just before the end is told once more, since
// it may have been making its session when it answered.
func confirmed(h Holder, ended time.Time) string {
	s := "Told directly, and it confirmed"
	if h.Attempts > 1 {
		s += " on the " + ordinal(h.Attempts) + " try"
	}
	if !h.Told.IsZero() && !ended.IsZero() {
		if h.Attempts > 1 {
			s += ","
		}
		s += " after " + about(h.Told.Sub(ended))
	}
	s += "."
	if h.Late == string(DeliveryPending) {
		s += " It had only just let you in, so it is told once more."
	}
	return s
}

// telling says how far telling a holder has come that has not confirmed.
func telling(h Holder, ended time.Time) Text {
	back, front := slices.Contains(h.Channels, ChannelBack), slices.Contains(h.Channels, ChannelFront)
	asked := ""
	if front && h.Trust == TrustTold {
		asked = "Your browser asked it, which proves nothing. "
	}
	switch h.Delivery {
	case DeliveryPending:
		switch {
		case h.Attempts == 0 || h.Status == 0 && h.Class == "":
			return text(asked, "It is being told now.")
		case h.Next.IsZero():
			return text(asked, "It ", answer(h), "; trying again.")
		}
		return text(asked, "It ", answer(h), "; trying again at ", moment(h.Next, ended), ".")
	case DeliveryFailed:
		if h.Attempts > 1 {
			return text(asked, "It ", answer(h), "; given up after ", number(h.Attempts), " tries.")
		}
		return text(asked, "It ", answer(h), ".")
	case DeliveryCancelled:
		return text(asked, "It did not confirm, and an administrator gave up telling it.")
	case DeliveryDone:
		switch {
		case h.Late == string(DeliveryPending):
			return text("It answered, but may have been letting you in at that moment; it is told once more.")
		case h.Late == string(DeliveryFailed):
			return text("It answered, but may have been letting you in at that moment, and did not answer again.")
		case back:
			return text("It took the message, but did not say that it is done.")
		}
	}
	switch {
	case back && h.Delivery == DeliveryNone:
		return text(asked, "It was not told: sessions that run out end quietly here.")
	case front && h.Trust == TrustTold:
		return text("Your browser asked it. Whether it signed you out, nobody can tell.")
	case front:
		return text("Only your browser could ask it, and that has not happened.")
	}
	return text("It has no way to be told.")
}

// answer says what came back at the last attempt.
func answer(h Holder) string {
	if h.Status/100 == 2 {
		return "took the message, but did not say that it is done (answer " + strconv.Itoa(h.Status) + ")"
	}
	if h.Status != 0 {
		return "refused (answer " + strconv.Itoa(h.Status) + ")"
	}
	switch h.Class {
	case "refused":
		return "does not take connections"
	case "denied":
		return "has an address that must not be called"
	case "dns":
		return "cannot be found by its name"
	case "tls":
		return "has no valid certificate"
	case "internal":
		return "could not be told because of a fault here"
	}
	return "does not answer"
}
