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

// The channels by which a holder is told.
const (
	ChannelBack  = "backchannel"
	ChannelFront = "frontchannel"
)

// Holder is one place where an ended session may still be trusted, as the report knows it.
type Holder struct {
	ID          string // names the row for the script; opaque
	Kind        string // application (also when empty), tokens, offline
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
// its status as JSON and the report. A loaded front-channel frame is never called confirmed (Front-Channel Logout 1.0 gives no
// answer that could be).
func Describe(h Holder, ended, now time.Time) State {
	front := slices.Contains(h.Channels, ChannelFront)
	back := slices.Contains(h.Channels, ChannelBack)
	switch h.Trust {
	case TrustClosed:
		return State{IconDone, text("Ended"), text("Curfew itself refuses it from now on.")}
	case TrustConfirmed:
		return State{IconDone, text("Confirmed"), text(confirmed(h, ended), again(h))}
	case TrustBounded:
		if h.Until.IsZero() {
			break
		}
		end := deadline(h.Until, ended)
		if !now.IsZero() && !now.Before(h.Until) {
			return State{IconDone, text("Ended"), text("It did not confirm, but its own session ran out by ", end, ".")}
		}
		own := text("Its own session runs out by ", end, ".")
		return State{IconBounded, text("Ends by ", end), text(failure(h, ended), own)}
	case TrustTold:
		if front && !back {
			return State{IconTold, text("Told, no answer to be had"), text("Your browser asked it. Whether it signed you out, nobody can tell.")}
		}
		return State{IconTold, text("Told, no answer to be had"), text("It took the message, but did not say that it is done.")}
	}
	switch h.Delivery {
	case DeliveryPending:
		return State{IconTrying, text("Still trying"), failure(h, ended)}
	case DeliveryFailed, DeliveryCancelled:
		if h.Status != 0 && h.Delivery == DeliveryFailed {
			return State{IconRefused, text("Refused"), text(failure(h, ended), yourself)}
		}
		return State{IconUnknown, text("Unknown"), text(failure(h, ended), yourself)}
	}
	return State{IconUnknown, text("Unknown"), text("It has no way to be told. ", yourself)}
}

const yourself = "Sign out there yourself, or close it."

// confirmed says how and when a holder confirmed.
func confirmed(h Holder, ended time.Time) string {
	s := "Told directly, and it confirmed"
	if h.Attempts > 1 {
		s += " on the " + ordinal(h.Attempts) + " try"
	}
	if h.Told.IsZero() || ended.IsZero() {
		return s + "."
	}
	if h.Attempts > 1 {
		s += ","
	}
	return s + " after " + about(h.Told.Sub(ended)) + "."
}

// again says that a holder that had joined just before the end is told once more, since it may have been making its session.
func again(h Holder) string {
	if h.Late == string(DeliveryPending) {
		return " It had only just let you in, so it is told once more."
	}
	return ""
}

// failure says why a holder has not confirmed; it ends with a space where something follows.
func failure(h Holder, ended time.Time) Text {
	switch h.Delivery {
	case DeliveryPending:
		if h.Attempts == 0 || h.Status == 0 && h.Class == "" {
			if slices.Contains(h.Channels, ChannelFront) && !slices.Contains(h.Channels, ChannelBack) {
				return text("Your browser is asking it now. ")
			}
			return text("It is being told now. ")
		}
		if h.Next.IsZero() {
			return text("It ", answer(h), "; trying again. ")
		}
		return text("It ", answer(h), "; trying again at ", moment(h.Next, ended), ". ")
	case DeliveryFailed:
		if h.Attempts > 1 {
			return text("It ", answer(h), "; given up after "+number(h.Attempts)+" tries. ")
		}
		return text("It ", answer(h), ". ")
	case DeliveryCancelled:
		return text("It did not confirm, and an administrator gave up telling it. ")
	case DeliveryDone:
		return text("It took the message, but did not say that it is done. ")
	}
	return text("It has no way to be told. ")
}

// answer says what came back at the last attempt.
func answer(h Holder) string {
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
	}
	return "does not answer"
}
