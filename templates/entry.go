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
	TrustRevoked   Trust = "revoked"   // Curfew enforces it
	TrustConfirmed Trust = "confirmed" // the holder says so
	TrustExpiring  Trust = "expiring"  // ends by itself at Until
	TrustNotified  Trust = "notified"  // asked or accepted, no proof
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
	KindClientSession = "client_session" // the session that an application made for itself; also when Kind is empty
	KindAccessTokens  = "access_tokens"  // access tokens it was given
	KindOfflineAccess = "offline_access" // its access without the person
)

// The channels by which a holder is told.
const (
	ChannelBack  = "backchannel"
	ChannelFront = "frontchannel"
)

// Entry is one place where an ended session may still be trusted, as the report knows it.
type Entry struct {
	ID             string // names the row for the script; opaque
	Kind           string
	Application    string
	Channels       []string // ChannelBack, ChannelFront
	Trust          Trust
	Delivery       Delivery
	NotifiedAt     time.Time // confirmed or accepted then
	ExpiresAt      time.Time // bounded: the hard end
	Attempts       int
	NextAttempt    time.Time // the next attempt
	Status         int       // of the last answer; 0: none came
	Class          string    // why none came: refused, denied, dns, tls, timeout …
	Renotification string    // a second telling: pending, done, failed
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
	IconDone     Icon = "done"    // a tick
	IconExpiring Icon = "bounded" // a clock
	IconNotified Icon = "told"    // a speech bubble
	IconRetrying Icon = "trying"  // an arrow going round
	IconRefused  Icon = "refused" // a cross
	IconUnknown  Icon = "unknown" // a question mark
)

// Describe puts the state of a holder of a session that ended at ended in words. It is the one mapping, for the signed-out page,
// its status as JSON and the report. A loaded front-channel frame is never called confirmed: Front-Channel Logout 1.0 knows no
// answer, and a frame loads for errors too.
func Describe(h Entry, ended, now time.Time) State {
	switch h.Kind {
	case KindAccessTokens:
		return describeTokens(h, ended, now)
	case KindOfflineAccess:
		if h.Trust == TrustRevoked {
			return State{IconDone, joinText("Ended"), joinText("It is refused here from now on.")}
		}
		return State{IconUnknown, joinText("Stays"), joinText("Access while you are away is no part of a session. It is ended under Applications.")}
	}
	end := deadline(h.ExpiresAt, ended)
	switch {
	case h.Trust == TrustConfirmed:
		return State{IconDone, joinText("Confirmed"), joinText(confirmedText(h, ended))}
	case isOver(h, now) && !h.ExpiresAt.IsZero():
		return State{IconDone, joinText("Ended"), joinText("It did not confirm, but its own session ran out by ", end, ".")}
	case isOver(h, now):
		return State{IconDone, joinText("Ended"), joinText("It is refused here from now on.")}
	case h.Trust == TrustExpiring && !h.ExpiresAt.IsZero():
		return State{IconExpiring, joinText("Ends by ", end), joinText(deliveryText(h, ended), " Its own session runs out by ", end, ".")}
	case h.Renotification == string(DeliveryPending) && h.Trust == TrustNotified && h.Delivery == DeliveryDone:
		return State{IconRetrying, joinText("Answered, told again"), deliveryText(h, ended)}
	case h.Delivery == DeliveryPending:
		return State{IconRetrying, joinText("Still trying"), deliveryText(h, ended)}
	case h.Trust == TrustNotified:
		return State{IconNotified, joinText("Told, no answer to be had"), deliveryText(h, ended)}
	case h.Delivery == DeliveryFailed && h.Status != 0 && h.Status/100 != 2:
		return State{IconRefused, joinText("Refused"), joinText(deliveryText(h, ended), signOutYourself)}
	}
	return State{IconUnknown, joinText("Unknown"), joinText(deliveryText(h, ended), signOutYourself)}
}

const signOutYourself = " Sign out there yourself, or close it."

// describeTokens is for access tokens, which nobody is told about.
func describeTokens(h Entry, ended, now time.Time) State {
	end := deadline(h.ExpiresAt, ended)
	switch {
	case isOver(h, now) && !h.ExpiresAt.IsZero():
		return State{IconDone, joinText("Ended"), joinText("The last of them expired by ", end, ".")}
	case isOver(h, now):
		return State{IconDone, joinText("Ended"), joinText("They are refused here from now on.")}
	case h.Trust == TrustExpiring && !h.ExpiresAt.IsZero():
		return State{IconExpiring, joinText("Ends by ", end), joinText("Where they are checked without asking here, the last of them expires by ", end, ".")}
	}
	return State{IconUnknown, joinText("Unknown"), joinText("Nobody can say how long they are accepted.")}
}

// isOver tells whether nothing is trusted any more by enforcement or by time.
func isOver(h Entry, now time.Time) bool {
	return h.Trust == TrustRevoked || h.Trust == TrustExpiring && !h.ExpiresAt.IsZero() && !now.IsZero() && !now.Before(h.ExpiresAt)
}

// confirmedText says how and when a holder confirmed, and that a holder that had joined just before the end is told once more, since
// it may have been making its session when it answered.
func confirmedText(h Entry, ended time.Time) string {
	s := "Told directly, and it confirmed"
	if h.Attempts > 1 {
		s += " on the " + ordinal(h.Attempts) + " try"
	}
	if !h.NotifiedAt.IsZero() && !ended.IsZero() {
		if h.Attempts > 1 {
			s += ","
		}
		s += " after " + formatDuration(h.NotifiedAt.Sub(ended))
	}
	s += "."
	if h.Renotification == string(DeliveryPending) {
		s += " It had only just let you in, so it is told once more."
	}
	return s
}

// deliveryText says how far telling a holder has come that has not confirmed.
func deliveryText(h Entry, ended time.Time) Text {
	back, front := slices.Contains(h.Channels, ChannelBack), slices.Contains(h.Channels, ChannelFront)
	browserNote := ""
	if front && h.Trust == TrustNotified {
		browserNote = "Your browser asked it, which proves nothing. "
	}
	switch h.Delivery {
	case DeliveryPending:
		switch {
		case h.Attempts == 0 || h.Status == 0 && h.Class == "":
			return joinText(browserNote, "It is being told now.")
		case h.NextAttempt.IsZero():
			return joinText(browserNote, "It ", answerText(h), "; trying again.")
		}
		return joinText(browserNote, "It ", answerText(h), "; trying again at ", exactTime(h.NextAttempt, ended), ".")
	case DeliveryFailed:
		if h.Attempts > 1 {
			return joinText(browserNote, "It ", answerText(h), "; given up after ", numberWord(h.Attempts), " tries.")
		}
		return joinText(browserNote, "It ", answerText(h), ".")
	case DeliveryCancelled:
		return joinText(browserNote, "It did not confirm, and an administrator gave up telling it.")
	case DeliveryDone:
		switch {
		case h.Renotification == string(DeliveryPending):
			return joinText("It answered, but may have been letting you in at that moment; it is told once more.")
		case h.Renotification == string(DeliveryFailed):
			return joinText("It answered, but may have been letting you in at that moment, and did not answer again.")
		case back:
			return joinText("It took the message, but did not say that it is done.")
		}
	}
	switch {
	case back && h.Delivery == DeliveryNone:
		return joinText(browserNote, "It was not told: sessions that run out end quietly here.")
	case front && h.Trust == TrustNotified:
		return joinText("Your browser asked it. Whether it signed you out, nobody can tell.")
	case front:
		return joinText("Only your browser could ask it, and that has not happened.")
	}
	return joinText("It has no way to be told.")
}

// answerText says what came back at the last attempt.
func answerText(h Entry) string {
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
