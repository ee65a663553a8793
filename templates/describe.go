package templates

import (
	"slices"
	"strconv"
	"time"
)

// State describes the state of one entry to the user: an icon, a word, a sentence and, behind "Details", the facts.
type State struct {
	Icon     Icon `json:"icon"`
	Word     Text `json:"word"`
	Sentence Text `json:"sentence"`
	Detail   Text `json:"detail"`
}

// Icon names a drawing and its colour.
type Icon string

// The icons.
const (
	IconDone     Icon = "done"     // a tick
	IconExpiring Icon = "expiring" // a clock
	IconNotified Icon = "notified" // a speech bubble
	IconRetrying Icon = "retrying" // a circular arrow
	IconRefused  Icon = "refused"  // a cross
	IconUnknown  Icon = "unknown"  // a question mark
)

// NeedsAttention reports whether the user may still be signed in to the app and Curfew can do no more about it.
func (s State) NeedsAttention() bool {
	return s.Icon == IconNotified || s.Icon == IconRefused || s.Icon == IconUnknown
}

// describe returns the state of an entry at now. ended is when the session ended. The signed-out page, its JSON status
// and the report all use this function.
//
// A loaded front-channel frame never counts as signed out: Front-Channel Logout 1.0 has no answer, and a frame also
// loads if the app answers with an error.
func (l *locale) describe(e Entry, ended, now time.Time) State {
	switch e.Kind {
	case KindAccessTokens:
		return l.describeTokens(e, ended, now)
	case KindOfflineAccess:
		if e.Trust == TrustRevoked {
			return State{Icon: IconDone, Word: l.text("state.done"), Sentence: l.text("background.done")}
		}
		return State{Icon: IconUnknown, Word: l.text("state.stays"), Sentence: l.text("background.stays")}
	}
	return l.describeClientSession(e, ended, now)
}

func (l *locale) describeClientSession(e Entry, ended, now time.Time) State {
	expires := l.deadline(e.ExpiresAt, ended)
	hasExpiry := !e.ExpiresAt.IsZero()
	detail := l.deliveryDetail(e, ended)
	done := l.text("state.done")
	beingRenotified := e.Renotification == string(DeliveryPending) && e.Delivery == DeliveryDone
	refused := e.Delivery == DeliveryFailed && e.Status != 0 && !isSuccess(e.Status)
	switch {
	case e.Trust == TrustConfirmed:
		return State{IconDone, done, l.text("state.done_text"), l.confirmedDetail(e, ended)}
	case isOver(e, now) && hasExpiry:
		return State{IconDone, done, l.text("state.done_by_time"), l.text("detail.expired", "Time", expires)}
	case isOver(e, now):
		return State{IconDone, done, l.text("state.done_text"), l.text("detail.enforced")}
	case e.Trust == TrustExpiring && hasExpiry:
		detail = join(detail, l.text("detail.expires", "Time", expires))
		return State{IconExpiring, l.text("state.expiring", "Time", expires), l.text("state.expiring_text"), detail}
	case e.Trust == TrustNotified && beingRenotified:
		return State{IconRetrying, l.text("state.checking"), l.text("state.checking_text"), detail}
	case e.isPutOff():
		return State{IconRetrying, l.text("state.initiator"), l.text("state.initiator_text"), detail}
	case e.Delivery == DeliveryPending:
		return State{IconRetrying, l.text("state.waiting"), l.text("state.waiting_text"), detail}
	case e.Trust == TrustNotified && slices.Contains(e.Channels, ChannelFront):
		return State{IconNotified, l.text("state.notified"), l.text("state.notified_browser"), detail}
	case e.Trust == TrustNotified:
		return State{IconNotified, l.text("state.notified"), l.text("state.notified_accepted"), detail}
	case refused:
		return State{IconRefused, l.text("state.refused"), l.text("state.refused_text"), detail}
	}
	return State{IconUnknown, l.text("state.unknown"), l.unknownSentence(e), detail}
}

// isSuccess reports whether an HTTP status is 2xx.
func isSuccess(status int) bool { return status/100 == 2 }

// unknownSentence explains why the state is unknown, and what the user can do.
func (l *locale) unknownSentence(e Entry) Text {
	switch {
	case e.Delivery == DeliveryFailed:
		return l.text("state.unknown_text")
	case e.Delivery == DeliveryCancelled:
		return l.text("state.cancelled_text")
	case e.Initiator && e.Delivery == DeliveryNone:
		return l.text("state.initiator_not_asked")
	case slices.Contains(e.Channels, ChannelBack):
		return l.text("state.silent_text")
	}
	return l.text("state.unreachable_text")
}

// describeTokens describes access tokens. They are revoked or expire; no app is notified of that.
func (l *locale) describeTokens(e Entry, ended, now time.Time) State {
	expires := l.deadline(e.ExpiresAt, ended)
	hasExpiry := !e.ExpiresAt.IsZero()
	switch {
	case isOver(e, now) && hasExpiry:
		return State{
			Icon:     IconDone,
			Word:     l.text("state.done"),
			Sentence: l.text("tokens.done_by_time", "Time", expires),
		}
	case isOver(e, now):
		return State{Icon: IconDone, Word: l.text("state.done"), Sentence: l.text("tokens.done")}
	case e.Trust == TrustExpiring && hasExpiry:
		return State{
			Icon:     IconExpiring,
			Word:     l.text("state.expiring", "Time", expires),
			Sentence: l.text("tokens.expiring", "Time", expires),
		}
	}
	return State{Icon: IconUnknown, Word: l.text("state.unknown"), Sentence: l.text("tokens.unknown")}
}

// isOver reports whether the entry is revoked or has expired at now.
func isOver(e Entry, now time.Time) bool {
	switch e.Trust {
	case TrustRevoked:
		return true
	case TrustExpiring:
		timesKnown := !e.ExpiresAt.IsZero() && !now.IsZero()
		return timesKnown && !now.Before(e.ExpiresAt)
	}
	return false
}

// confirmedDetail says how soon an app has confirmed, and whether it will be notified again: an app that joined the
// session shortly before its end may still have been signing the user in when it confirmed.
func (l *locale) confirmedDetail(e Entry, ended time.Time) Text {
	detail := l.text("detail.confirmed_no_time")
	if !e.NotifiedAt.IsZero() && !ended.IsZero() {
		delay := l.duration(e.NotifiedAt.Sub(ended))
		detail = l.text("detail.confirmed", "Duration", delay)
		if e.Attempts > 1 {
			detail = l.text("detail.confirmed_tries", "Duration", delay, "Count", e.Attempts)
		}
	}
	if e.Renotification == string(DeliveryPending) {
		detail = join(detail, l.text("detail.confirmed_renotify"))
	}
	return detail
}

// deliveryDetail says by which channels an app was notified, and how it answered. The app has not confirmed.
func (l *locale) deliveryDetail(e Entry, ended time.Time) Text {
	hasBackChannel := slices.Contains(e.Channels, ChannelBack)
	hasFrontChannel := slices.Contains(e.Channels, ChannelFront)
	var browser Text
	if hasFrontChannel && e.Trust == TrustNotified {
		browser = l.text("detail.browser")
	}
	if backChannel := l.backChannelDetail(e, hasBackChannel, ended); backChannel != nil {
		return join(browser, backChannel)
	}
	switch {
	case browser != nil:
		return browser
	case hasFrontChannel:
		return l.text("detail.browser_only")
	}
	return l.text("detail.unreachable")
}

// backChannelDetail describes the back-channel notification of an app that has not confirmed. It returns nil if the app
// has no back channel.
func (l *locale) backChannelDetail(e Entry, hasBackChannel bool, ended time.Time) Text {
	noAnswerYet := e.Attempts == 0 || e.Status == 0 && e.Class == ""
	switch e.Delivery {
	case DeliveryPending:
		switch {
		case e.isPutOff():
			return l.text("detail.initiator")
		case noAnswerYet:
			return l.text("detail.asking")
		case e.NextAttempt.IsZero():
			return l.text("detail.retry", "Answer", l.answer(e))
		}
		return l.text("detail.retry_at", "Answer", l.answer(e), "Time", l.clockTime(e.NextAttempt, ended))
	case DeliveryFailed:
		return l.text("detail.gave_up", "Answer", l.answer(e), "Count", e.Attempts)
	case DeliveryCancelled:
		return l.text("detail.cancelled")
	case DeliveryDone:
		switch {
		case e.Renotification == string(DeliveryPending):
			return l.text("detail.checking")
		case e.Renotification == string(DeliveryFailed):
			return l.text("detail.checked_failed")
		case hasBackChannel:
			return l.text("detail.accepted")
		}
	case DeliveryNone:
		switch {
		case e.Initiator:
			return l.text("detail.initiator_not_asked")
		case hasBackChannel:
			return l.text("detail.silent")
		}
	}
	return nil
}

// answerTexts has the name of the text of each class of failure.
var answerTexts = map[string]string{
	"refused":  "answer.refused",
	"denied":   "answer.denied",
	"dns":      "answer.dns",
	"tls":      "answer.tls",
	"internal": "answer.internal",
}

// answer describes the app's answer to the last attempt, or why there was none.
func (l *locale) answer(e Entry) Text {
	status := strconv.Itoa(e.Status)
	switch {
	case isSuccess(e.Status):
		return l.text("answer.accepted", "Status", status)
	case e.Status != 0:
		return l.text("answer.status", "Status", status)
	case answerTexts[e.Class] != "":
		return l.text(answerTexts[e.Class])
	}
	return l.text("answer.none")
}
