package logout

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/curfew-id/curfew/storage"
)

// Reply is what came back from a relying party.
type Reply struct {
	JTI        string // of the logout token that it answers; the dispatcher sets it
	Status     int
	RetryAfter time.Duration // 0: none was asked for
	Detail     string        // for people: what the body said, if anything
}

// classified is an error of a [Poster] that knows its class: refused, denied, dns, tls, timeout …
type classified interface {
	error
	Class() string
}

// How many answers that say no are taken before a delivery is given up.
const (
	triesInvalid  = 3 // 400: the token was not accepted, which new keys may cure
	triesTerminal = 2 // there is nobody to talk to at that URI
)

// settle decides what an attempt that ended at now means for its delivery.
func settle(d storage.Delivery, reply Reply, err error, now time.Time, random float64) storage.Settlement {
	s := storage.Settlement{ID: d.ID, Lease: d.Lease, State: storage.DeliveryPending, Refused: d.Refused, Answer: answerOf(reply, err, now)}
	s.Answer.At = latest(s.Answer.At, d.Created) // no answer comes before the end, even if the clock was put back
	pause := pauseAfter(d.Attempts)
	switch tries := allowed(s.Answer.Status); {
	case confirms(s.Answer.Status):
		s.State = storage.DeliveryDone
	case tries > 0:
		s.Refused++
		pause = pauseAfterRefusal(s.Refused)
		if s.Refused >= tries {
			s.State = storage.DeliveryFailed
		}
	}
	if s.State == storage.DeliveryPending && !now.Before(d.GiveUp) {
		s.State = storage.DeliveryFailed
	}
	if s.State == storage.DeliveryPending {
		pause = max(jitter(pause, random), min(reply.RetryAfter, longestRetryAfter))
		// The last attempt is made when the time is up, not half an hour before.
		s.Next = earlier(now.Add(pause), d.GiveUp)
	}
	s.Row = settled(d, s.State, s.Next, s.Answer)
	if s.State != storage.DeliveryPending {
		s.Event = &storage.Event{At: s.Answer.At, Kind: "delivery." + string(s.State), By: "system", Detail: map[string]string{
			"delivery": d.ID, "attempt": strconv.Itoa(d.Attempts), "answer": class(s.Answer), "jti": s.Answer.JTI}}
	}
	return s
}

// confirms tells whether an answer says that the session is over (Back-Channel Logout 1.0 §2.8: 200; and 204, since some frameworks
// send it for an empty body). No other 2xx does.
func confirms(status int) bool { return status == http.StatusOK || status == http.StatusNoContent }

// allowed is how many answers of that kind are taken before giving up; 0 means that trying again may help.
func allowed(status int) int {
	switch {
	case status == http.StatusBadRequest:
		return triesInvalid
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusTooManyRequests:
		return 0
	case status >= 300 && status < 500: // a redirect is never followed: the token would go to somebody else
		return triesTerminal
	}
	return 0
}

func answerOf(reply Reply, err error, now time.Time) storage.Answer {
	a := storage.Answer{At: now.UTC().Truncate(time.Millisecond), JTI: reply.JTI, Status: reply.Status, Detail: detail(reply.Detail)}
	if err == nil {
		return a
	}
	a.Status, a.Class = 0, "network"
	if a.Detail == "" {
		a.Detail = detail(err.Error())
	}
	var c classified
	switch {
	case errors.As(err, &c):
		a.Class = c.Class()
	case errors.Is(err, context.DeadlineExceeded):
		a.Class = "timeout"
	}
	return a
}

// detailBytes is how much of an answer is kept for people.
const detailBytes = 300

// detail makes text of a relying party fit to be kept and shown: one line, no control characters, cut at a whole character.
func detail(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, " "))
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > detailBytes {
		text = strings.ToValidUTF8(text[:detailBytes], "")
	}
	return text
}
