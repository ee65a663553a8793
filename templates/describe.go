package templates

import (
	"slices"
	"strconv"
	"time"
)

// State is what became of one entry, as pages show it: an icon, a word, a sentence and, behind "Details", the facts.
type State struct {
	Icon     Icon `json:"icon"`
	Word     Text `json:"word"`
	Sentence Text `json:"sentence"`
	Detail   Text `json:"detail"`
}

// Icon names a drawing, and the colour that goes with it.
type Icon string

// The icons.
const (
	IconDone     Icon = "done"     // a tick
	IconExpiring Icon = "expiring" // a clock
	IconNotified Icon = "notified" // a speech bubble
	IconRetrying Icon = "retrying" // an arrow going round
	IconRefused  Icon = "refused"  // a cross
	IconUnknown  Icon = "unknown"  // a question mark
)

// NeedsAttention reports whether the user may still be signed in there and nothing on our side will change that.
func (s State) NeedsAttention() bool {
	return s.Icon == IconNotified || s.Icon == IconRefused || s.Icon == IconUnknown
}

// describe puts the state of an entry of a session that ended at ended in words. It is the one mapping, for the
// signed-out page, its status as JSON and the report. A front-channel frame that has loaded is never called signed
// out: Front-Channel Logout 1.0 knows no answer, and a frame loads for errors too.
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
	end := l.deadline(e.ExpiresAt, ended)
	detail := l.deliveryDetail(e, ended)
	done := l.text("state.done")
	switch {
	case e.Trust == TrustConfirmed:
		return State{IconDone, done, l.text("state.done_text"), l.confirmedDetail(e, ended)}
	case isOver(e, now) && !e.ExpiresAt.IsZero():
		return State{IconDone, done, l.text("state.done_by_time"), l.text("detail.expired", "Time", end)}
	case isOver(e, now):
		return State{IconDone, done, l.text("state.done_text"), l.text("detail.enforced")}
	case e.Trust == TrustExpiring && !e.ExpiresAt.IsZero():
		return State{IconExpiring, l.text("state.expiring", "Time", end), l.text("state.expiring_text"),
			join(detail, l.text("detail.expires", "Time", end))}
	case e.Renotification == string(DeliveryPending) && e.Trust == TrustNotified && e.Delivery == DeliveryDone:
		return State{IconRetrying, l.text("state.checking"), l.text("state.checking_text"), detail}
	case e.Delivery == DeliveryPending:
		return State{IconRetrying, l.text("state.waiting"), l.text("state.waiting_text"), detail}
	case e.Trust == TrustNotified && slices.Contains(e.Channels, ChannelFront):
		return State{IconNotified, l.text("state.notified"), l.text("state.notified_browser"), detail}
	case e.Trust == TrustNotified:
		return State{IconNotified, l.text("state.notified"), l.text("state.notified_accepted"), detail}
	case e.Delivery == DeliveryFailed && e.Status != 0 && e.Status/100 != 2:
		return State{IconRefused, l.text("state.refused"), l.text("state.refused_text"), detail}
	}
	return State{IconUnknown, l.text("state.unknown"), l.unknownSentence(e), detail}
}

// unknownSentence says why nothing is known, and what to do.
func (l *locale) unknownSentence(e Entry) Text {
	switch {
	case e.Delivery == DeliveryFailed:
		return l.text("state.unknown_text")
	case e.Delivery == DeliveryCancelled:
		return l.text("state.cancelled_text")
	case slices.Contains(e.Channels, ChannelBack):
		return l.text("state.silent_text")
	}
	return l.text("state.unreachable_text")
}

// describeTokens is for access tokens: they are revoked or expire, and no app is asked.
func (l *locale) describeTokens(e Entry, ended, now time.Time) State {
	end := l.deadline(e.ExpiresAt, ended)
	switch {
	case isOver(e, now) && !e.ExpiresAt.IsZero():
		return State{Icon: IconDone, Word: l.text("state.done"), Sentence: l.text("tokens.done_by_time", "Time", end)}
	case isOver(e, now):
		return State{Icon: IconDone, Word: l.text("state.done"), Sentence: l.text("tokens.done")}
	case e.Trust == TrustExpiring && !e.ExpiresAt.IsZero():
		return State{
			Icon:     IconExpiring,
			Word:     l.text("state.expiring", "Time", end),
			Sentence: l.text("tokens.expiring", "Time", end),
		}
	}
	return State{Icon: IconUnknown, Word: l.text("state.unknown"), Sentence: l.text("tokens.unknown")}
}

// isOver reports whether nothing is accepted any more, by enforcement or by time.
func isOver(e Entry, now time.Time) bool {
	return e.Trust == TrustRevoked ||
		e.Trust == TrustExpiring && !e.ExpiresAt.IsZero() && !now.IsZero() && !now.Before(e.ExpiresAt)
}

// confirmedDetail says when an app confirmed. One that had joined just before the end is asked once more, since it
// may have been making its session when it answered.
func (l *locale) confirmedDetail(e Entry, ended time.Time) Text {
	detail := l.text("detail.confirmed_no_time")
	if !e.NotifiedAt.IsZero() && !ended.IsZero() {
		after := l.duration(e.NotifiedAt.Sub(ended))
		detail = l.text("detail.confirmed", "Duration", after)
		if e.Attempts > 1 {
			detail = l.text("detail.confirmed_tries", "Duration", after, "Count", e.Attempts)
		}
	}
	if e.Renotification == string(DeliveryPending) {
		detail = join(detail, l.text("detail.confirmed_renotify"))
	}
	return detail
}

// deliveryDetail says by which channels an app that has not confirmed was asked, and what came back.
func (l *locale) deliveryDetail(e Entry, ended time.Time) Text {
	back, front := slices.Contains(e.Channels, ChannelBack), slices.Contains(e.Channels, ChannelFront)
	var browser Text
	if front && e.Trust == TrustNotified {
		browser = l.text("detail.browser")
	}
	switch e.Delivery {
	case DeliveryPending:
		switch {
		case e.Attempts == 0 || e.Status == 0 && e.Class == "":
			return join(browser, l.text("detail.asking"))
		case e.NextAttempt.IsZero():
			return join(browser, l.text("detail.retry", "Answer", l.answer(e)))
		}
		return join(
			browser,
			l.text("detail.retry_at", "Answer", l.answer(e), "Time", l.clockTime(e.NextAttempt, ended)),
		)
	case DeliveryFailed:
		return join(browser, l.text("detail.gave_up", "Answer", l.answer(e), "Count", e.Attempts))
	case DeliveryCancelled:
		return join(browser, l.text("detail.cancelled"))
	case DeliveryDone:
		switch {
		case e.Renotification == string(DeliveryPending):
			return join(browser, l.text("detail.checking"))
		case e.Renotification == string(DeliveryFailed):
			return join(browser, l.text("detail.checked_failed"))
		case back:
			return join(browser, l.text("detail.accepted"))
		}
	}
	switch {
	case back && e.Delivery == DeliveryNone:
		return join(browser, l.text("detail.silent"))
	case front && e.Trust == TrustNotified:
		return browser
	case front:
		return l.text("detail.browser_only")
	}
	return l.text("detail.unreachable")
}

// answerTexts are the texts for why no answer came, by the class of the failure.
var answerTexts = map[string]string{
	"refused":  "answer.refused",
	"denied":   "answer.denied",
	"dns":      "answer.dns",
	"tls":      "answer.tls",
	"internal": "answer.internal",
}

// answer says what came back at the last attempt.
func (l *locale) answer(e Entry) Text {
	status := strconv.Itoa(e.Status)
	switch {
	case e.Status/100 == 2:
		return l.text("answer.accepted", "Status", status)
	case e.Status != 0:
		return l.text("answer.status", "Status", status)
	case answerTexts[e.Class] != "":
		return l.text(answerTexts[e.Class])
	}
	return l.text("answer.none")
}
