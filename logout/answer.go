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

// Response is a relying party's HTTP response to a logout token.
type Response struct {
	Status     int           // HTTP status
	RetryAfter time.Duration // from the header Retry-After; 0: the response has none
	Location   string        // target of a redirect; operators see it, the dispatcher does not follow it
	Detail     string        // the beginning of the body, for operators
}

// classifiedError is an error of a [Poster] with a class: refused, denied, dns, tls, timeout …
type classifiedError interface {
	error
	Class() string
}

// The numbers of refusals after which a delivery fails.
const (
	maxBadRequests   = 3 // for 400: the relying party may have to fetch new keys before it accepts the token
	maxOtherRefusals = 2 // for 3xx, other 4xx and 501: another attempt will hardly help
)

// evaluateAttempt returns the outcome of an attempt that ended at now. jti is the jti of its logout token. random is in
// [0, 1) and varies the pause.
func evaluateAttempt(
	d storage.Delivery,
	jti string,
	response Response,
	err error,
	now time.Time,
	random float64,
) storage.DeliveryOutcome {
	outcome := storage.DeliveryOutcome{
		ID:       d.ID,
		Lease:    d.Lease,
		State:    storage.DeliveryPending,
		Refusals: d.Refusals,
		Answer:   newAnswer(jti, response, err, now),
	}
	outcome.Answer.At = latest(outcome.Answer.At, d.Created) // the clock may have been set back meanwhile
	pause := retryPause(d.Attempts)
	status := outcome.Answer.Status
	maxRefusals := maxRefusalsFor(status)
	isRefusal := maxRefusals > 0
	switch {
	case confirmsLogout(status):
		outcome.State = storage.DeliveryDone
	case isRefusal:
		outcome.Refusals++
		pause = refusalPause(outcome.Refusals)
		if outcome.Refusals >= maxRefusals {
			outcome.State = storage.DeliveryFailed
		}
	}
	pastGiveUp := !now.Before(d.GiveUpAt)
	if outcome.State == storage.DeliveryPending && pastGiveUp && d.Attempts >= minAttempts {
		outcome.State = storage.DeliveryFailed
	}
	if outcome.State == storage.DeliveryPending {
		pause = max(jitter(pause, random), min(response.RetryAfter, maxRetryAfter))
		outcome.NextAttempt = now.Add(pause)
		if !pastGiveUp { // the last attempt is at GiveUpAt itself, even if that shortens the pause before it
			outcome.NextAttempt = earliest(outcome.NextAttempt, d.GiveUpAt)
		}
		outcome.Pause = outcome.NextAttempt.Sub(now)
	}
	// The store applies UpdateEntry to the client's report entry in the transaction that records the outcome.
	outcome.UpdateEntry = entryUpdater(d, outcome.State, outcome.NextAttempt, outcome.Answer)
	if outcome.State != storage.DeliveryPending {
		outcome.Event = &storage.Event{
			At:   outcome.Answer.At,
			Kind: "delivery." + string(outcome.State),
			By:   "system",
			Detail: map[string]string{
				"delivery": d.ID,
				"attempt":  strconv.Itoa(d.Attempts),
				"answer":   answerClass(outcome.Answer),
				"jti":      outcome.Answer.JTI,
			},
		}
	}
	return outcome
}

// confirmsLogout reports whether an HTTP status confirms the logout: 200 (Back-Channel Logout 1.0 §2.8), or 204, which
// some frameworks send for an empty body. No other 2xx does.
func confirmsLogout(status int) bool {
	return status == http.StatusOK || status == http.StatusNoContent
}

// maxRefusalsFor returns after how many refusals with that status a delivery fails. 0: the status is not a refusal.
func maxRefusalsFor(status int) int {
	switch {
	case status == http.StatusBadRequest:
		return maxBadRequests
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusTooManyRequests:
		return 0
	case isRedirect(status): // not followed, because its target is not registered
		return maxOtherRefusals
	case status >= 400 && status < 500, status == http.StatusNotImplemented:
		return maxOtherRefusals
	}
	return 0
}

func isRedirect(status int) bool { return status >= 300 && status < 400 }

// newAnswer describes the result of an attempt for storage: the response or, if err is not nil, the class of the
// failure.
func newAnswer(jti string, response Response, err error, now time.Time) storage.Answer {
	a := storage.Answer{
		At:     now.UTC().Truncate(time.Millisecond),
		JTI:    jti,
		Status: response.Status,
		Detail: sanitizeDetail(response.Detail),
	}
	if isRedirect(a.Status) && response.Location != "" {
		a.Detail = sanitizeDetail(redirectsTo + withoutQuery(response.Location))
	}
	if err == nil {
		return a
	}
	a.Status = 0
	a.Class = "network"
	if a.Detail == "" {
		a.Detail = sanitizeDetail(err.Error())
	}
	var classified classifiedError
	switch {
	case errors.As(err, &classified):
		a.Class = classified.Class()
	case errors.Is(err, context.DeadlineExceeded):
		a.Class = "timeout"
	}
	return a
}

// redirectsTo begins the Detail of a redirect. The target follows.
const redirectsTo = "redirects to "

// withoutQuery returns a redirect target without its query, fragment and user information, which may contain secrets.
func withoutQuery(location string) string {
	u, err := url.Parse(location)
	if err != nil {
		return "an invalid URI"
	}
	u.User = nil
	u.RawQuery = ""
	u.Fragment = ""
	return u.String()
}

// maxDetailBytes is the maximum length of storage.Answer.Detail.
const maxDetailBytes = 300

// markup matches HTML comments, tags, and scripts and styles with their content. The last tag may be incomplete.
var markup = regexp.MustCompile(`(?is)<!--.*?-->|<script\b.*?</script>|<style\b.*?</style>|</?[a-z!][^>]*>?`)

// sanitizeDetail makes text from a relying party safe to store and to show. It returns one line of at most
// maxDetailBytes, without markup and control characters.
func sanitizeDetail(text string) string {
	text = html.UnescapeString(markup.ReplaceAllString(text, " "))
	toSpace := func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}
	text = strings.Map(toSpace, strings.ToValidUTF8(text, " "))
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > maxDetailBytes {
		text = strings.ToValidUTF8(text[:maxDetailBytes], "") // drops a character that was cut in the middle
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
