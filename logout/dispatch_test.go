package logout

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-id/curfew/storage"
)

func TestEveryAnswerOverADay(t *testing.T) {
	s, m := time.Second, time.Minute
	schedule := func(first ...time.Duration) []time.Duration {
		for at := first[len(first)-1]; ; {
			if at += 30 * m; at >= MaxDeliveryPeriod {
				return append(first, MaxDeliveryPeriod)
			}
			first = append(first, at)
		}
	}
	patient := schedule(0, s, 6*s, 36*s, 156*s, 756*s)
	var hanging []time.Duration // each attempt takes 5 s more
	for i, at := 0, time.Duration(0); at < MaxDeliveryPeriod; i++ {
		hanging = append(hanging, at)
		at += AttemptTimeout + retryPause(i+1)
	}
	hanging = append(hanging, MaxDeliveryPeriod)
	tests := []struct {
		name  string
		reply Response
		err   error
		hang  bool
		want  []time.Duration
		state storage.DeliveryState
		class string
	}{
		{name: "200", reply: Response{Status: 200}, want: []time.Duration{0}, state: storage.DeliveryDone, class: "200"},
		{name: "204", reply: Response{Status: 204}, want: []time.Duration{0}, state: storage.DeliveryDone, class: "204"},
		{
			name:  "202 confirms nothing",
			reply: Response{Status: 202},
			want:  patient,
			state: storage.DeliveryFailed,
			class: "202",
		},
		{
			name:  "400 three times",
			reply: Response{Status: 400},
			want:  []time.Duration{0, 30 * s, 630 * s},
			state: storage.DeliveryFailed,
			class: "400",
		},
		{
			name:  "redirect",
			reply: Response{Status: 302},
			want:  []time.Duration{0, 30 * s},
			state: storage.DeliveryFailed,
			class: "302",
		},
		{
			name:  "401",
			reply: Response{Status: 401},
			want:  []time.Duration{0, 30 * s},
			state: storage.DeliveryFailed,
			class: "401",
		},
		{
			name:  "403",
			reply: Response{Status: 403},
			want:  []time.Duration{0, 30 * s},
			state: storage.DeliveryFailed,
			class: "403",
		},
		{
			name:  "404",
			reply: Response{Status: 404},
			want:  []time.Duration{0, 30 * s},
			state: storage.DeliveryFailed,
			class: "404",
		},
		{
			name:  "405",
			reply: Response{Status: 405},
			want:  []time.Duration{0, 30 * s},
			state: storage.DeliveryFailed,
			class: "405",
		},
		{
			name:  "410",
			reply: Response{Status: 410},
			want:  []time.Duration{0, 30 * s},
			state: storage.DeliveryFailed,
			class: "410",
		},
		{
			name:  "415",
			reply: Response{Status: 415},
			want:  []time.Duration{0, 30 * s},
			state: storage.DeliveryFailed,
			class: "415",
		},
		{name: "408", reply: Response{Status: 408}, want: patient, state: storage.DeliveryFailed, class: "408"},
		{name: "425", reply: Response{Status: 425}, want: patient, state: storage.DeliveryFailed, class: "425"},
		{
			name:  "429 with Retry-After",
			reply: Response{Status: 429, RetryAfter: 20 * m},
			want:  schedule(0, 20*m, 40*m, 60*m, 80*m, 100*m),
			state: storage.DeliveryFailed,
			class: "429",
		},
		{name: "500", reply: Response{Status: 500}, want: patient, state: storage.DeliveryFailed, class: "500"},
		{
			name:  "501",
			reply: Response{Status: 501},
			want:  []time.Duration{0, 30 * s},
			state: storage.DeliveryFailed,
			class: "501",
		},
		{name: "refused", err: refused{}, want: patient, state: storage.DeliveryFailed, class: "refused"},
		{name: "hangs", hang: true, want: hanging, state: storage.DeliveryFailed, class: "timeout"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			withFixture(t, func(t *testing.T, w *fixture) {
				w.client("rp", storage.Metadata{})
				w.respond = func(ctx context.Context, _ receivedToken) (Response, error) {
					if tt.hang {
						<-ctx.Done()
						return Response{}, ctx.Err()
					}
					return tt.reply, tt.err
				}
				id := w.session("rp")
				w.waitRenotifyDelay()
				d := w.dispatcher()
				defer run(d.Run)()
				o := w.end(w.terminator(d), storage.Selector{Sessions: []storage.SessionID{id}})
				time.Sleep(25 * time.Hour)
				var times []time.Duration
				seen := map[string]bool{}
				for _, r := range w.receivedBy("rp") {
					times = append(times, r.at.Sub(o.EndedAt))
					if seen[r.jti] {
						t.Error("a token was sent twice")
					}
					seen[r.jti] = true
				}
				if !slices.Equal(times, tt.want) {
					t.Errorf("attempts: got %v, want %v", times, tt.want)
				}
				entry := w.entry(o, "rp")
				if entry.Delivery != tt.state || entry.Attempts != len(tt.want) ||
					answerClass(entry.LastAnswer) != tt.class ||
					!entry.NextAttempt.IsZero() {
					t.Errorf("entry: got %+v, want %s after %d attempts by %s", entry, tt.state, len(tt.want), tt.class)
				}
				last := w.receivedBy("rp")[len(tt.want)-1]
				if entry.LastAnswer.JTI != last.jti {
					t.Errorf("entry: got jti %q, want %q", entry.LastAnswer.JTI, last.jti)
				}
				events, _, err := w.store.ListEvents(
					t.Context(),
					storage.EventFilter{Kind: "delivery."},
					storage.Page{},
				)
				w.must(err)
				if len(events) != 1 || events[0].Kind != "delivery."+string(tt.state) || events[0].Cause != o.CauseID ||
					events[0].Client != "rp" ||
					events[0].Detail["jti"] != last.jti {
					t.Errorf("audit: got %+v, want one line of its final state", events)
				}
				trust := storage.TrustUnknown
				if tt.state == storage.DeliveryDone {
					trust = storage.TrustConfirmed
				}
				if entry.Trust != trust {
					t.Errorf("trust: got %s, want %s", entry.Trust, trust)
				}
			})
		})
	}
}

func TestRelyingPartyBackAfterManyHoursGetsAFreshToken(t *testing.T) {
	withFixture(t, func(t *testing.T, w *fixture) {
		w.client("rp", storage.Metadata{})
		back := time.Now().Add(23 * time.Hour)
		w.respond = func(context.Context, receivedToken) (Response, error) {
			if time.Now().Before(back) {
				return Response{}, refused{}
			}
			return Response{Status: 204}, nil
		}
		id := w.session("rp")
		w.waitRenotifyDelay()
		d := w.dispatcher()
		defer run(d.Run)()
		o := w.end(w.terminator(d), storage.Selector{Sessions: []storage.SessionID{id}})
		time.Sleep(24 * time.Hour)
		entry := w.entry(o, "rp")
		if entry.Trust != storage.TrustConfirmed || entry.NotifiedAt.Before(back) ||
			entry.NotifiedAt.After(back.Add(31*time.Minute)) {
			t.Errorf("got %+v, want it confirmed within half an hour of %v", entry, back)
		}
	})
}

func TestWakeUpBringsATokenAtOnce(t *testing.T) {
	withFixture(t, func(t *testing.T, w *fixture) {
		w.client("rp", storage.Metadata{})
		d := w.dispatcher()
		defer run(d.Run)()
		id := w.session("rp")
		w.waitRenotifyDelay()
		synctest.Wait()
		o := w.end(w.terminator(d), storage.Selector{Sessions: []storage.SessionID{id}})
		synctest.Wait() // no time passes
		if entry := w.entry(o, "rp"); entry.Trust != storage.TrustConfirmed || !entry.NotifiedAt.Equal(o.EndedAt) {
			t.Errorf("got %+v, want it confirmed before the clock moves", entry)
		}
	})
}

func TestRecentlyJoinedClientIsRenotified(t *testing.T) {
	withFixture(t, func(t *testing.T, w *fixture) {
		w.client("rp", storage.Metadata{})
		id := w.session("rp")
		time.Sleep(time.Second)
		d := w.dispatcher()
		defer run(d.Run)()
		o := w.end(w.terminator(d), storage.Selector{Sessions: []storage.SessionID{id}})
		time.Sleep(29 * time.Second)
		if entry := w.entry(o, "rp"); entry.Trust != storage.TrustNotified || entry.Delivery != storage.DeliveryDone ||
			entry.Renotification != RenotificationPending {
			t.Errorf("in between: got %+v, want it notified and not confirmed", entry)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		got := w.receivedBy("rp")
		if len(got) != 2 || got[0].jti == got[1].jti || got[1].at.Sub(o.EndedAt) != RenotifyDelay ||
			got[0].sid != got[1].sid {
			t.Fatalf("got %+v, want two tokens, 30 s apart", got)
		}
		if entry := w.entry(o, "rp"); entry.Trust != storage.TrustConfirmed ||
			entry.Renotification != RenotificationDone {
			t.Errorf("at last: got %+v, want it confirmed", entry)
		}
	})
}
