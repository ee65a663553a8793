package logout

import (
	"context"
	"errors"
	"fmt"
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
			if at += 30 * m; at >= TellAtMost {
				return append(first, TellAtMost)
			}
			first = append(first, at)
		}
	}
	patient := schedule(0, s, 6*s, 36*s, 156*s, 756*s)
	var hanging []time.Duration // each attempt takes 5 s more
	for i, at := 0, time.Duration(0); at < TellAtMost; i++ {
		hanging = append(hanging, at)
		at += AttemptLimit + pauseAfter(i+1)
	}
	hanging = append(hanging, TellAtMost)
	tests := []struct {
		name  string
		reply Reply
		err   error
		hang  bool
		want  []time.Duration
		state storage.DeliveryState
		class string
	}{
		{name: "200", reply: Reply{Status: 200}, want: []time.Duration{0}, state: storage.DeliveryDone, class: "200"},
		{name: "204", reply: Reply{Status: 204}, want: []time.Duration{0}, state: storage.DeliveryDone, class: "204"},
		{name: "202 confirms nothing", reply: Reply{Status: 202}, want: patient, state: storage.DeliveryFailed, class: "202"},
		{name: "400 three times", reply: Reply{Status: 400}, want: []time.Duration{0, 30 * s, 630 * s}, state: storage.DeliveryFailed, class: "400"},
		{name: "redirect", reply: Reply{Status: 302}, want: []time.Duration{0, 30 * s}, state: storage.DeliveryFailed, class: "302"},
		{name: "401", reply: Reply{Status: 401}, want: []time.Duration{0, 30 * s}, state: storage.DeliveryFailed, class: "401"},
		{name: "403", reply: Reply{Status: 403}, want: []time.Duration{0, 30 * s}, state: storage.DeliveryFailed, class: "403"},
		{name: "404", reply: Reply{Status: 404}, want: []time.Duration{0, 30 * s}, state: storage.DeliveryFailed, class: "404"},
		{name: "405", reply: Reply{Status: 405}, want: []time.Duration{0, 30 * s}, state: storage.DeliveryFailed, class: "405"},
		{name: "410", reply: Reply{Status: 410}, want: []time.Duration{0, 30 * s}, state: storage.DeliveryFailed, class: "410"},
		{name: "415", reply: Reply{Status: 415}, want: []time.Duration{0, 30 * s}, state: storage.DeliveryFailed, class: "415"},
		{name: "408", reply: Reply{Status: 408}, want: patient, state: storage.DeliveryFailed, class: "408"},
		{name: "425", reply: Reply{Status: 425}, want: patient, state: storage.DeliveryFailed, class: "425"},
		{name: "429 with Retry-After", reply: Reply{Status: 429, RetryAfter: 20 * m}, want: schedule(0, 20*m, 40*m, 60*m, 80*m, 100*m), state: storage.DeliveryFailed, class: "429"},
		{name: "500", reply: Reply{Status: 500}, want: patient, state: storage.DeliveryFailed, class: "500"},
		{name: "501", reply: Reply{Status: 501}, want: patient, state: storage.DeliveryFailed, class: "501"},
		{name: "refused", err: refused{}, want: patient, state: storage.DeliveryFailed, class: "refused"},
		{name: "hangs", hang: true, want: hanging, state: storage.DeliveryFailed, class: "timeout"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.client("rp", storage.Metadata{})
				w.answer = func(ctx context.Context, _ told) (Reply, error) {
					if tt.hang {
						<-ctx.Done()
						return Reply{}, ctx.Err()
					}
					return tt.reply, tt.err
				}
				id := w.session("rp")
				w.settleDown()
				d := w.dispatcher()
				defer run(d.Run)()
				o := w.end(w.ender(d), storage.Selector{Sessions: []storage.SessionID{id}})
				time.Sleep(25 * time.Hour)
				var times []time.Duration
				seen := map[string]bool{}
				for _, r := range w.got("rp") {
					times = append(times, r.at.Sub(o.At))
					if seen[r.jti] {
						t.Error("a token was sent twice")
					}
					seen[r.jti] = true
				}
				if !slices.Equal(times, tt.want) {
					t.Errorf("attempts: got %v, want %v", times, tt.want)
				}
				row := w.row(o, "rp")
				if row.Delivery != tt.state || row.Attempts != len(tt.want) || class(row.Answer) != tt.class || !row.Next.IsZero() {
					t.Errorf("row: got %+v, want %s after %d attempts by %s", row, tt.state, len(tt.want), tt.class)
				}
				last := w.got("rp")[len(tt.want)-1]
				if row.Answer.JTI != last.jti {
					t.Errorf("row: got jti %q, want %q", row.Answer.JTI, last.jti)
				}
				events, _, err := w.store.ListEvents(t.Context(), storage.EventFilter{Kind: "delivery."}, storage.Page{})
				w.must(err)
				if len(events) != 1 || events[0].Kind != "delivery."+string(tt.state) || events[0].Cause != o.CauseID || events[0].Client != "rp" || events[0].Detail["jti"] != last.jti {
					t.Errorf("audit: got %+v, want one line of its final state", events)
				}
				trust := storage.TrustUnknown
				if tt.state == storage.DeliveryDone {
					trust = storage.TrustConfirmed
				}
				if row.Trust != trust {
					t.Errorf("trust: got %s, want %s", row.Trust, trust)
				}
			})
		})
	}
}

func TestRelyingPartyBackAfterManyHoursGetsAFreshToken(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.client("rp", storage.Metadata{})
		back := time.Now().Add(23 * time.Hour)
		w.answer = func(context.Context, told) (Reply, error) {
			if time.Now().Before(back) {
				return Reply{}, refused{}
			}
			return Reply{Status: 204}, nil
		}
		id := w.session("rp")
		w.settleDown()
		d := w.dispatcher()
		defer run(d.Run)()
		o := w.end(w.ender(d), storage.Selector{Sessions: []storage.SessionID{id}})
		time.Sleep(24 * time.Hour)
		row := w.row(o, "rp")
		if row.Trust != storage.TrustConfirmed || row.Told.Before(back) || row.Told.After(back.Add(31*time.Minute)) {
			t.Errorf("got %+v, want it confirmed within half an hour of %v", row, back)
		}
	})
}

func TestWakeUpBringsATokenAtOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.client("rp", storage.Metadata{})
		d := w.dispatcher()
		defer run(d.Run)()
		id := w.session("rp")
		w.settleDown()
		synctest.Wait()
		o := w.end(w.ender(d), storage.Selector{Sessions: []storage.SessionID{id}})
		synctest.Wait() // no time passes
		if row := w.row(o, "rp"); row.Trust != storage.TrustConfirmed || !row.Told.Equal(o.At) {
			t.Errorf("got %+v, want it confirmed before the clock moves", row)
		}
	})
}

func TestHangingHostsDelayNobodyElse(t *testing.T) {
	for _, hanging := range []int{20, 200} {
		inWorld(t, func(t *testing.T, w *world) {
			w.answer = func(ctx context.Context, got told) (Reply, error) {
				if got.client != "well" {
					<-ctx.Done()
					return Reply{}, ctx.Err()
				}
				return Reply{Status: 200}, nil
			}
			w.client("well", storage.Metadata{})
			members := []string{"well"}
			for i := range hanging {
				members = append(members, fmt.Sprint("hanging", i))
				w.client(members[i+1], storage.Metadata{})
			}
			w.sessions(400/hanging, members...)
			w.session("well")
			w.settleDown()
			d := w.dispatcher()
			defer run(d.Run)()
			e := w.ender(d)
			first := w.session("well")
			w.settleDown()
			w.end(e, storage.Selector{Sessions: []storage.SessionID{first}})
			synctest.Wait()
			w.end(e, storage.Selector{Subject: "u"})
			time.Sleep(time.Second)
			if got, want := len(w.got("well")), 400/hanging+2; got != want {
				t.Errorf("%d hang: after a second the quick one heard of %d endings, want %d", hanging, got, want)
			}
			// One that is written while all of them hang is told as quickly.
			id := w.session("well")
			w.settleDown()
			o := w.end(e, storage.Selector{Sessions: []storage.SessionID{id}})
			synctest.Wait()
			if row := w.row(o, "well"); row.Trust != storage.TrustConfirmed {
				t.Errorf("%d hang: got %+v, want it confirmed at once", hanging, row)
			}
		})
	}
}

func TestOneHostGetsFourAttemptsAtATime(t *testing.T) {
	for _, took := range []time.Duration{500 * time.Millisecond, 4900 * time.Millisecond} {
		inWorld(t, func(t *testing.T, w *world) {
			var now, most int
			w.answer = func(context.Context, told) (Reply, error) {
				w.mu.Lock()
				now++
				most = max(most, now)
				w.mu.Unlock()
				time.Sleep(took)
				w.mu.Lock()
				now--
				w.mu.Unlock()
				return Reply{Status: 200}, nil
			}
			w.client("a", storage.Metadata{BackchannelLogoutURI: "https://one.example/a"})
			w.client("b", storage.Metadata{BackchannelLogoutURI: "https://ONE.example:443/b"})
			w.sessions(50, "a", "b")
			w.settleDown()
			d := w.dispatcher()
			defer run(d.Run)()
			w.end(w.ender(d), storage.Selector{Subject: "u"})
			time.Sleep(5 * time.Minute)
			if got := len(w.got("a")) + len(w.got("b")); got != 100 || most != perHost {
				t.Errorf("answers after %v: %d told, %d at a time, want 100, %d", took, got, most, perHost)
			}
			for _, delivery := range w.deliveries() {
				if delivery.State != storage.DeliveryDone {
					t.Errorf("got %+v, want it done", delivery)
				}
			}
		})
	}
}

func TestLostLeaseChangesNothing(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.client("rp", storage.Metadata{})
		id := w.session("rp")
		w.settleDown()
		d := w.dispatcher()
		o := w.end(w.ender(d), storage.Selector{Sessions: []storage.SessionID{id}})
		claimed, err := w.store.ClaimDeliveries(t.Context(), time.Now(), time.Second, 1, nil)
		w.must(err)
		time.Sleep(2 * time.Second)
		again, err := w.store.ClaimDeliveries(t.Context(), time.Now(), lease, 1, nil)
		w.must(err)
		late := settle(claimed[0], Reply{Status: 404}, nil, time.Now(), 0.5)
		stale, err := w.store.SettleDeliveries(t.Context(), []storage.Settlement{late, settle(again[0], Reply{Status: 200}, nil, time.Now(), 0.5)})
		w.must(err)
		if row := w.row(o, "rp"); len(stale) != 1 || row.Trust != storage.TrustConfirmed || row.Answer.Status != 200 {
			t.Errorf("stale %v, row %+v, want the second holder's outcome alone", stale, row)
		}
	})
}

func TestNothingIsBegunUnderALeaseThatRunsOut(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.client("rp", storage.Metadata{})
		d := w.dispatcher()
		o := d.attemptInTime(t.Context(), storage.Delivery{Client: "rp", Leased: time.Now().Add(AttemptLimit)})
		if !o.quiet || o.State != storage.DeliveryPending || len(w.got("rp")) != 0 {
			t.Errorf("got %+v and %d tokens sent, want it given back unsent", o.Settlement, len(w.got("rp")))
		}
	})
}

func TestCrashRepeatsOnlyWhatWasInFlight(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		for _, c := range []string{"done", "flying", "dead"} {
			w.client(c, storage.Metadata{})
		}
		var store *mortal
		w.answer = func(ctx context.Context, got told) (Reply, error) {
			switch got.client {
			case "dead":
				return Reply{}, refused{}
			case "flying":
				// It acts, and the process dies before the answer is recorded.
				if len(w.got("flying")) == 1 {
					time.Sleep(time.Second)
					store.dead.Store(true)
				}
			}
			return Reply{Status: 200}, nil
		}
		id := w.session("done", "flying", "dead")
		w.settleDown()
		d := w.dispatcher()
		store = &mortal{Store: w.store}
		d.Store = store
		stop := run(d.Run)
		o := w.end(w.ender(d), storage.Selector{Sessions: []storage.SessionID{id}})
		time.Sleep(2 * time.Second)
		stop()

		defer run(w.dispatcher().Run)()
		time.Sleep(time.Minute)
		if a, b := len(w.got("done")), len(w.got("flying")); a != 1 || b != 2 {
			t.Errorf("told %d and %d times, want 1 and 2", a, b)
		}
		for c, want := range map[string]storage.DeliveryState{"done": storage.DeliveryDone, "flying": storage.DeliveryDone, "dead": storage.DeliveryPending} {
			if row := w.row(o, c); row.Delivery != want {
				t.Errorf("%s: got %s, want %s", c, row.Delivery, want)
			}
		}
	})
}

func TestShutdownFinishesWhatIsInFlightAndGivesBackTheRest(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		var flying int
		w.answer = func(ctx context.Context, _ told) (Reply, error) {
			if len(w.got("rp")) <= 50 {
				return Reply{Status: 200}, nil // quick, so that many are claimed ahead
			}
			w.mu.Lock()
			flying++
			w.mu.Unlock()
			select {
			case <-time.After(3 * time.Second):
				return Reply{Status: 200}, nil
			case <-ctx.Done():
				return Reply{}, ctx.Err()
			}
		}
		w.client("rp", storage.Metadata{})
		w.sessions(100, "rp")
		w.settleDown()
		d := w.dispatcher()
		stop := run(d.Run)
		w.end(w.ender(d), storage.Selector{Subject: "u"})
		time.Sleep(time.Second)
		sent := len(w.got("rp"))
		if flying != perHost {
			t.Fatalf("%d in flight, want %d", flying, perHost)
		}
		began := time.Now()
		stop()
		if took := time.Since(began); took > AttemptLimit {
			t.Errorf("it took %v to stop", took)
		}
		if got := len(w.got("rp")); got != sent {
			t.Errorf("%d more attempts were begun", got-sent)
		}
		for _, delivery := range w.deliveries() {
			switch {
			case delivery.State == storage.DeliveryDone:
				sent--
			case !delivery.Leased.IsZero() || delivery.Next.After(time.Now()):
				t.Errorf("got %+v, want it free to be taken", delivery)
			}
		}
		if sent != 0 {
			t.Errorf("%d answers were not recorded", sent)
		}
	})
}

func TestStoreInTroubleLosesNoAnswer(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.client("rp", storage.Metadata{})
		id := w.session("rp")
		w.settleDown()
		d := w.dispatcher()
		store := &mortal{Store: w.store}
		d.Store = store
		w.answer = func(context.Context, told) (Reply, error) {
			store.dead.Store(true)
			time.AfterFunc(8*time.Second, func() { store.dead.Store(false) })
			return Reply{Status: 200}, nil
		}
		defer run(d.Run)()
		o := w.end(w.ender(d), storage.Selector{Sessions: []storage.SessionID{id}})
		time.Sleep(15 * time.Second)
		if row := w.row(o, "rp"); row.Trust != storage.TrustConfirmed || len(w.got("rp")) != 1 {
			t.Errorf("got %+v, told %d times, want it confirmed by its one answer", row, len(w.got("rp")))
		}
	})
}

func TestRelyingPartyMayUseTheStoreWhileItIsTold(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.client("rp", storage.Metadata{})
		w.answer = func(ctx context.Context, got told) (Reply, error) {
			// It revokes its token at the OP before it answers.
			if err := w.store.DeleteToken(ctx, storage.HashOf("token")); err != nil {
				return Reply{}, err
			}
			if err := w.store.PutToken(ctx, storage.Token{Hash: storage.HashOf("other"), Client: "rp", Expires: time.Now().Add(time.Hour)}); err != nil {
				return Reply{}, err
			}
			return Reply{Status: 200}, nil
		}
		id := w.session("rp")
		w.settleDown()
		d := w.dispatcher()
		defer run(d.Run)()
		o := w.end(w.ender(d), storage.Selector{Sessions: []storage.SessionID{id}})
		synctest.Wait()
		if row := w.row(o, "rp"); row.Trust != storage.TrustConfirmed {
			t.Errorf("got %+v, want it confirmed", row)
		}
	})
}

func TestLateJoinerIsToldOnceMore(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.client("rp", storage.Metadata{})
		id := w.session("rp")
		time.Sleep(time.Second)
		d := w.dispatcher()
		defer run(d.Run)()
		o := w.end(w.ender(d), storage.Selector{Sessions: []storage.SessionID{id}})
		time.Sleep(29 * time.Second)
		if row := w.row(o, "rp"); row.Trust != storage.TrustTold || row.Delivery != storage.DeliveryDone || row.Late != LatePending {
			t.Errorf("in between: got %+v, want it told and not confirmed", row)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		got := w.got("rp")
		if len(got) != 2 || got[0].jti == got[1].jti || got[1].at.Sub(o.At) != LateJoin || got[0].sid != got[1].sid {
			t.Fatalf("got %+v, want two tokens, 30 s apart", got)
		}
		if row := w.row(o, "rp"); row.Trust != storage.TrustConfirmed || row.Late != LateDone {
			t.Errorf("at last: got %+v, want it confirmed", row)
		}
	})
}

func TestMendedMetadataCountsForTheNextAttempt(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.client("rp", storage.Metadata{LogoutTokenClaims: "sub"})
		w.answer = func(_ context.Context, got told) (Reply, error) {
			if got.sid == nil {
				return Reply{Status: 400}, nil
			}
			return Reply{Status: 200}, nil
		}
		id := w.session("rp")
		w.settleDown()
		d := w.dispatcher()
		defer run(d.Run)()
		o := w.end(w.ender(d), storage.Selector{Sessions: []storage.SessionID{id}})
		synctest.Wait()
		c, err := w.store.Client(t.Context(), "rp")
		w.must(err)
		mended := *c
		mended.LogoutTokenClaims = ""
		w.must(w.store.PutClient(t.Context(), mended))
		time.Sleep(time.Minute)
		if row := w.row(o, "rp"); row.Trust != storage.TrustConfirmed || row.Attempts != 2 {
			t.Errorf("got %+v, want it confirmed at the second attempt", row)
		}
	})
}

func TestOperatorRetriesAndGivesUp(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.client("rp", storage.Metadata{})
		status := 404
		w.answer = func(context.Context, told) (Reply, error) { return Reply{Status: status}, nil }
		id := w.session("rp")
		w.settleDown()
		d := w.dispatcher()
		defer run(d.Run)()
		o := w.end(w.ender(d), storage.Selector{Sessions: []storage.SessionID{id}})
		time.Sleep(time.Hour)
		delivery := w.deliveries()[0]
		if delivery.State != storage.DeliveryFailed {
			t.Fatalf("got %s, want failed", delivery.State)
		}
		status = 503
		w.must(d.Retry(t.Context(), delivery.ID, "admin"))
		time.Sleep(time.Minute)
		if row := w.row(o, "rp"); row.Delivery != storage.DeliveryPending || row.Answer.Status != 503 {
			t.Errorf("retried: got %+v, want it pending", row)
		}
		w.must(d.GiveUp(t.Context(), delivery.ID, "admin"))
		sent := len(w.got("rp"))
		time.Sleep(24 * time.Hour)
		if row := w.row(o, "rp"); row.Delivery != storage.DeliveryCancelled || row.Trust != storage.TrustUnknown || len(w.got("rp")) != sent {
			t.Errorf("given up: got %+v and %d more attempts, want cancelled and none", row, len(w.got("rp"))-sent)
		}
		if err := d.GiveUp(t.Context(), "nothing", "admin"); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("unknown delivery: got %v, want not found", err)
		}
	})
}

func TestTrialExplainsTheAnswer(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.client("rp", storage.Metadata{})
		w.answer = func(context.Context, told) (Reply, error) {
			return Reply{Status: 400, Detail: `{"error":"invalid_request"}`}, nil
		}
		c, err := w.store.Client(t.Context(), "rp")
		w.must(err)
		trial, err := w.dispatcher().Try(t.Context(), c)
		w.must(err)
		if got := w.got("rp"); len(got) != 1 || got[0].sid != trial.SID || trial.OK || trial.Answer.Status != 400 || trial.Answer.Detail == "" || trial.Meaning == "" {
			t.Errorf("got %+v", trial)
		}
		if len(w.deliveries()) != 0 {
			t.Error("a trial left a delivery")
		}
	})
}
