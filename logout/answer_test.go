package logout

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/curfew-id/curfew/storage"
)

type refused struct{}

func (refused) Error() string { return "dial: refused" }
func (refused) Class() string { return "refused" }

func TestRetryAfterIsHonouredUpToAnHour(t *testing.T) {
	for asked, want := range map[time.Duration]time.Duration{
		0:                time.Second,
		10 * time.Second: 10 * time.Second,
		3 * time.Hour:    time.Hour,
	} {
		d := storage.Delivery{Attempts: 1, GiveUpAt: t0.Add(MaxDeliveryPeriod)}
		if s := evaluateAttempt(d, "jti", Response{Status: 503, RetryAfter: asked}, nil, t0, 0.5); !s.NextAttempt.Equal(
			t0.Add(want),
		) {
			t.Errorf("Retry-After %v: next after %v, want %v", asked, s.NextAttempt.Sub(t0), want)
		}
	}
	d := storage.Delivery{Attempts: 6, GiveUpAt: t0.Add(MaxDeliveryPeriod)}
	if s := evaluateAttempt(d, "jti", Response{Status: 429, RetryAfter: time.Second}, nil, t0, 0.5); !s.NextAttempt.Equal(
		t0.Add(30 * time.Minute),
	) {
		t.Errorf("a short Retry-After: next after %v, want the schedule's 30 min", s.NextAttempt.Sub(t0))
	}
}

func TestPausesAreSpreadByAFifth(t *testing.T) {
	d := storage.Delivery{Attempts: 5, GiveUpAt: t0.Add(MaxDeliveryPeriod)}
	for random, want := range map[float64]time.Duration{0: 8 * time.Minute, 0.5: 10 * time.Minute} {
		if s := evaluateAttempt(d, "jti", Response{Status: 500}, nil, t0, random); !s.NextAttempt.Equal(t0.Add(want)) {
			t.Errorf("random %v: got %v, want %v", random, s.NextAttempt.Sub(t0), want)
		}
	}
}

func TestLastAttemptIsMadeWhenTimeIsUp(t *testing.T) {
	d := storage.Delivery{Attempts: 50, GiveUpAt: t0.Add(time.Minute)}
	if s := evaluateAttempt(d, "jti", Response{Status: 500}, nil, t0, 0); s.State != storage.DeliveryPending ||
		!s.NextAttempt.Equal(d.GiveUpAt) {
		t.Errorf("before: got %s, %v, want one more attempt at the end", s.State, s.NextAttempt)
	}
	if s := evaluateAttempt(d, "jti", Response{Status: 500}, nil, d.GiveUpAt, 0); s.State != storage.DeliveryFailed {
		t.Errorf("at the end: got %s, want failed", s.State)
	}
	if s := evaluateAttempt(d, "jti", Response{Status: 204}, nil, d.GiveUpAt.Add(time.Hour), 0); s.State != storage.DeliveryDone {
		t.Errorf("an answer at last: got %s, want done", s.State)
	}
}

// TestClockJumpPastTheEndStillMakesSomeAttempts: the clock may jump past GiveUpAt after the first attempt.
func TestClockJumpPastTheEndStillMakesSomeAttempts(t *testing.T) {
	now := t0.Add(10 * 24 * time.Hour)
	for attempts := 1; attempts < minAttempts; attempts++ {
		d := storage.Delivery{Attempts: attempts, GiveUpAt: t0.Add(time.Minute)}
		s := evaluateAttempt(d, "jti", Response{Status: 503}, nil, now, 0.5)
		if s.State != storage.DeliveryPending || !s.NextAttempt.After(now) {
			t.Errorf("after attempt %d the delivery is %s, next at %v", attempts, s.State, s.NextAttempt)
		}
	}
	d := storage.Delivery{Attempts: minAttempts, GiveUpAt: t0.Add(time.Minute)}
	if s := evaluateAttempt(d, "jti", Response{Status: 503}, nil, now, 0.5); s.State != storage.DeliveryFailed {
		t.Errorf("after %d attempts the delivery is %s, want failed", minAttempts, s.State)
	}
}

func TestFailuresAreClassed(t *testing.T) {
	for want, err := range map[string]error{
		"refused":  fmt.Errorf("post: %w", refused{}),
		"timeout":  context.DeadlineExceeded,
		"network":  errors.New("?"),
		"internal": signingError{errors.New("no key")},
	} {
		a := newAnswer("jti", Response{}, err, t0)
		if a.Class != want || a.Status != 0 {
			t.Errorf("got %+v, want %s", a, want)
		}
		if strings.Contains(a.Detail, "no key") {
			t.Errorf("a fault of the OP is shown as the client's: %s", a.Detail)
		}
	}
}

func TestTextOfAnAnswerIsSanitized(t *testing.T) {
	got := sanitizeDetail("bad\r\nSet-Cookie: x\x00\x1b[31m \xff" + strings.Repeat("ö", 400))
	if len(got) > maxDetailBytes || !utf8.ValidString(got) || strings.ContainsAny(got, "\r\n\x00\x1b") ||
		!strings.HasPrefix(got, "bad Set-Cookie: x [31m ö") {
		t.Errorf("got %d bytes: %q", len(got), got)
	}
}

func TestEveryAnswerHasAMeaning(t *testing.T) {
	for status, want := range map[int]string{
		200: "confirmed",
		204: "confirmed",
		202: "only 200 and 204",
		302: "redirects",
		400: "invalid",
		404: "no endpoint",
		501: "no endpoint",
		429: "not now",
		503: "not now",
	} {
		if got := ExplainAnswer(storage.Answer{Status: status}); !strings.Contains(got, want) {
			t.Errorf("%d: got %q, want %q in it", status, got, want)
		}
	}
}

func TestAnswerIsShownWithoutMarkup(t *testing.T) {
	for text, want := range map[string]string{
		`<!DOCTYPE html><html><head><style>p{color:red}</style><title>404 Not Found</title></head><body><h1>Not &amp; found</h1><script>x("<b>")</script></body>`: "404 Not Found Not & found",
		`{"error":"invalid_request"}`: `{"error":"invalid_request"}`,
		`1 < 2 and cut <a href="htt`:  "1 < 2 and cut",
	} {
		if got := sanitizeDetail(text); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestRedirectSaysWhereItLeadsWithoutSecrets(t *testing.T) {
	a := newAnswer(
		"jti",
		Response{Status: 302, Location: "https://user:pw@sso.example/login?state=secret", Detail: "moved"},
		nil,
		t0,
	)
	if want := "redirects to https://sso.example/login"; a.Detail != want || !strings.Contains(ExplainAnswer(a), want) {
		t.Errorf("got %q, explained as %q, want %q in both", a.Detail, ExplainAnswer(a), want)
	}
}

func TestUntrustedCertificateNamesTheSetting(t *testing.T) {
	if got := ExplainAnswer(storage.Answer{Class: "tls"}); !strings.Contains(got, "egress.ca") {
		t.Errorf("got %q, want egress.ca in it", got)
	}
}

func TestLogoutTokenClaims(t *testing.T) {
	for choice, want := range map[string][2]bool{
		"":     {true, true},
		"both": {true, true},
		"sid":  {false, true},
		"sub":  {true, false},
	} {
		claims := tokenClaims(
			"https://op.example",
			storage.Delivery{Client: "rp", Subject: "u", SID: "s", Claims: choice},
			"j",
			t0,
			t0.Add(TokenLifetime),
		)
		_, sub := claims["sub"]
		_, sid := claims["sid"]
		if [2]bool{sub, sid} != want {
			t.Errorf("%q: got sub %v, sid %v", choice, sub, sid)
		}
		if _, nonce := claims["nonce"]; nonce {
			t.Error("it has a nonce")
		}
		events, _ := claims["events"].(map[string]any)
		if member, ok := events["http://schemas.openid.net/event/backchannel-logout"].(map[string]any); len(
			events,
		) != 1 ||
			!ok ||
			len(member) != 0 {
			t.Errorf("events: got %v", events)
		}
		if claims["exp"].(int64)-claims["iat"].(int64) > 120 || claims["aud"] != "rp" || claims["jti"] != "j" ||
			claims["iss"] != "https://op.example" {
			t.Errorf("got %v", claims)
		}
	}
}
