package logout

import (
	"context"
	"errors"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/curfew-id/curfew/storage"
)

// Reply is a relying party's response to a logout token.
type Reply struct {
	JTI        string // of the logout token; the dispatcher sets it
	Status     int
	RetryAfter time.Duration // 0: the response has none
	Location   string        // where a redirect leads; shown to operators, never followed
	Detail     string        // the beginning of the body, for operators
}

// classifiedError is an error of a [Poster] that knows its class: refused, denied, dns, tls, timeout …
type classifiedError interface {
	error
	Class() string
}

// How many refusals a delivery takes before it fails.
const (
	maxBadRequests   = 3 // 400: the token was not accepted; the relying party may have to fetch new keys first
	maxOtherRefusals = 2 // no endpoint for logout tokens is at that URI
)

// evaluateAttempt returns the outcome of an attempt that ended at now. random is in [0, 1).
func evaluateAttempt(
	d storage.Delivery,
	reply Reply,
	err error,
	now time.Time,
	random float64,
) storage.DeliveryOutcome {
	s := storage.DeliveryOutcome{
		ID:       d.ID,
		Lease:    d.Lease,
		State:    storage.DeliveryPending,
		Refusals: d.Refusals,
		Answer:   newAnswer(reply, err, now),
	}
	s.Answer.At = latest(s.Answer.At, d.Created) // the clock may have been put back since
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
		// The last attempt is made at GiveUpAt, not up to half an hour before it.
		s.NextAttempt = earliest(now.Add(pause), d.GiveUpAt)
		s.Pause = s.NextAttempt.Sub(now)
	}
	s.UpdateEntry = entryUpdater(d, s.State, s.NextAttempt, s.Answer)
	if s.State != storage.DeliveryPending {
		s.Event = &storage.Event{
			At:   s.Answer.At,
			Kind: "delivery." + string(s.State),
			By:   "system",
			Detail: map[string]string{
				"delivery": d.ID, "attempt": strconv.Itoa(d.Attempts), "answer": answerClass(s.Answer), "jti": s.Answer.JTI},
		}
	}
	return s
}

// confirmsLogout reports whether an answer confirms the logout: 200 (Back-Channel Logout 1.0 §2.8), and 204, which
// some frameworks send for an empty body. No other 2xx does.
func confirmsLogout(status int) bool {
	return status == http.StatusOK || status == http.StatusNoContent
}

// maxRefusals returns how many answers with that status a delivery takes before it fails; 0: trying again may help.
func maxRefusals(status int) int {
	switch {
	case status == http.StatusBadRequest:
		return maxBadRequests
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusTooManyRequests:
		return 0
	case isRedirect(status): // never followed: the token would go to a URI that is not registered
		return maxOtherRefusals
	case status >= 400 && status < 500, status == http.StatusNotImplemented:
		return maxOtherRefusals
	}
	return 0
}

func isRedirect(status int) bool { return status >= 300 && status < 400 }

func newAnswer(reply Reply, err error, now time.Time) storage.Answer {
	a := storage.Answer{
		At:     now.UTC().Truncate(time.Millisecond),
		JTI:    reply.JTI,
		Status: reply.Status,
		Detail: sanitizeDetail(reply.Detail),
	}
	if isRedirect(a.Status) && reply.Location != "" {
		a.Detail = sanitizeDetail(redirectsTo + withoutQuery(reply.Location))
	}
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

// redirectsTo begins the detail of a redirect that names its target.
const redirectsTo = "redirects to "

// withoutQuery returns a redirect target without its query and user information, which may hold secrets.
func withoutQuery(location string) string {
	u, err := url.Parse(location)
	if err != nil {
		return "an invalid URI"
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}

// maxDetailBytes bounds the part of an answer that is kept.
const maxDetailBytes = 300

// markup matches HTML comments, tags, and scripts and styles with their content. The last tag may be cut off.
var markup = regexp.MustCompile(`(?is)<!--.*?-->|<script\b.*?</script>|<style\b.*?</style>|</?[a-z!][^>]*>?`)

// sanitizeDetail makes text of a relying party fit to be kept and shown: one line without markup and control
// characters, cut at a whole character.
func sanitizeDetail(text string) string {
	text = html.UnescapeString(markup.ReplaceAllString(text, " "))
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

// answerClass returns the HTTP status of an answer, or the class of the failure if no answer came.
func answerClass(a storage.Answer) string {
	if a.Status == 0 {
		return a.Class
	}
	return strconv.Itoa(a.Status)
}
