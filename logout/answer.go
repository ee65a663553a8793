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

// classifiedError is an error of a [Poster] that knows its class: refused, denied, dns, tls, timeout …
type classifiedError interface {
	error
	Class() string
}

// How many answers that say no are taken before a delivery is given up.
const (
	maxBadRequests   = 3 // 400: the token was not accepted, which new keys may cure
	maxOtherRefusals = 2 // there is nobody to talk to at that URI
)

// evaluateAttempt decides what an attempt that ended at now means for its delivery.
func evaluateAttempt(d storage.Delivery, reply Reply, err error, now time.Time, random float64) storage.DeliveryOutcome {
	s := storage.DeliveryOutcome{ID: d.ID, Lease: d.Lease, State: storage.DeliveryPending, Refusals: d.Refusals, Answer: newAnswer(reply, err, now)}
	s.Answer.At = latest(s.Answer.At, d.Created) // no answer comes before the end, even if the clock was put back
	pause := retryPause(d.Attempts)
	switch limit := maxRefusals(s.Answer.Status); {
	case confirmsLogout(s.Answer.Status):
		s.State = storage.DeliveryDone
	case limit > 0:
		s.Refusals++
		pause = refusalPause(s.Refusals)
		if s.Refusals >= limit {
			s.State = storage.DeliveryFailed
		}
	}
	if s.State == storage.DeliveryPending && !now.Before(d.GiveUpAt) {
		s.State = storage.DeliveryFailed
	}
	if s.State == storage.DeliveryPending {
		pause = max(jitter(pause, random), min(reply.RetryAfter, maxRetryAfter))
		// The last attempt is made when the time is up, not half an hour before.
		s.NextAttempt = earliest(now.Add(pause), d.GiveUpAt)
		s.Pause = s.NextAttempt.Sub(now)
	}
	s.UpdateEntry = entryUpdater(d, s.State, s.NextAttempt, s.Answer)
	if s.State != storage.DeliveryPending {
		s.Event = &storage.Event{At: s.Answer.At, Kind: "delivery." + string(s.State), By: "system", Detail: map[string]string{
			"delivery": d.ID, "attempt": strconv.Itoa(d.Attempts), "answer": answerClass(s.Answer), "jti": s.Answer.JTI}}
	}
	return s
}

// confirmsLogout reports whether an answer says that the session is over (Back-Channel Logout 1.0 §2.8: 200; and 204, since some frameworks
// send it for an empty body). No other 2xx does.
func confirmsLogout(status int) bool {
	return status == http.StatusOK || status == http.StatusNoContent
}

// maxRefusals is how many answers of that kind are taken before giving up; 0 means that trying again may help.
func maxRefusals(status int) int {
	switch {
	case status == http.StatusBadRequest:
		return maxBadRequests
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusTooManyRequests:
		return 0
	case status >= 300 && status < 500: // a redirect is never followed: the token would go to somebody else
		return maxOtherRefusals
	}
	return 0
}

func newAnswer(reply Reply, err error, now time.Time) storage.Answer {
	a := storage.Answer{At: now.UTC().Truncate(time.Millisecond), JTI: reply.JTI, Status: reply.Status, Detail: sanitizeDetail(reply.Detail)}
	if err == nil {
		return a
	}
	a.Status, a.Class = 0, "network"
	if a.Detail == "" {
		a.Detail = sanitizeDetail(err.Error())
	}
	var c classifiedError
	switch {
	case errors.As(err, &c):
		a.Class = c.Class()
	case errors.Is(err, context.DeadlineExceeded):
		a.Class = "timeout"
	}
	return a
}

// maxDetailBytes is how much of an answer is kept for people.
const maxDetailBytes = 300

// sanitizeDetail makes text of a relying party fit to be kept and shown: one line, no control characters, cut at a whole character.
func sanitizeDetail(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, " "))
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > maxDetailBytes {
		text = strings.ToValidUTF8(text[:maxDetailBytes], "")
	}
	return text
}
