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

func TestEndingIsDurableBeforeAnyoneIsTold(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.client("rp", storage.Metadata{FrontchannelLogoutURI: "https://rp.example/fcl"})
		id := w.session("rp")
		w.settleDown()
		d := w.dispatcher() // does not run
		o := w.end(w.ender(d), storage.Selector{Sessions: []storage.SessionID{id}})
		if len(o.Ended) != 1 || len(o.Reports) != 1 || o.More || o.CauseID == "" {
			t.Fatalf("got %+v", o)
		}
		if _, err := w.store.Session(t.Context(), id, time.Now()); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("the session is still found: %v", err)
		}
		r, err := w.store.Report(t.Context(), o.Reports[0])
		w.must(err)
		if r.Cause.ID != o.CauseID || r.Session != storage.SessionHash(id) || len(r.Audit) == 0 || !r.Whole || r.Subject != "u" {
			t.Errorf("report: got %+v", r)
		}
		if frames := o.Frames(); len(frames) != 1 || frames[0].Client != "rp" {
			t.Errorf("frames: got %+v", frames)
		}
		if list := w.deliveries(); len(list) != 1 || list[0].Report != r.ID {
			t.Errorf("deliveries: got %+v", list)
		}
	})
}

func TestNothingSelectedIsNoError(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		woken := 0
		e := w.ender(w.dispatcher())
		e.Wake = func() { woken++ }
		if o := w.end(e, storage.Selector{Sessions: []storage.SessionID{"gone"}}); len(o.Ended) != 0 || o.CauseID == "" || woken != 0 {
			t.Errorf("got %+v, woken %d times", o, woken)
		}
	})
}

func TestChangeAndEndingAreOne(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := w.session()
		e := w.ender(w.dispatcher())
		stale := storage.User{Subject: "u", Name: "ada", Revision: 77}
		_, err := e.End(t.Context(), storage.Selector{Subject: "u"}, storage.Cause{Reason: storage.ReasonPasswordChange, By: "user:u"}, storage.Change{User: &stale})
		if !errors.Is(err, storage.ErrChanged) {
			t.Errorf("got %v, want changed", err)
		}
		if _, err := w.store.Session(t.Context(), id, time.Now()); err != nil {
			t.Errorf("the session ended without the change: %v", err)
		}
	})
}

func TestOneApplicationsShare(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.client("a", storage.Metadata{})
		w.client("b", storage.Metadata{})
		id := w.session("a", "b")
		w.settleDown()
		d := w.dispatcher()
		defer run(d.Run)()
		o := w.end(w.ender(d), storage.Selector{Sessions: []storage.SessionID{id}, Client: "a"})
		synctest.Wait()
		if row := w.row(o, "a"); row.Trust != storage.TrustConfirmed || o.Ended[0].Whole || len(w.got("a")) != 1 || len(w.got("b")) != 0 {
			t.Errorf("got %+v; a told %d times, b %d times", row, len(w.got("a")), len(w.got("b")))
		}
		s, err := w.store.Session(t.Context(), id, time.Now())
		w.must(err)
		if len(s.Members) != 1 || s.Members[0].Client != "b" {
			t.Errorf("left: got %+v, want b", s.Members)
		}
	})
}

func TestRemovedClientIsToldALastTime(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.client("rp", storage.Metadata{})
		w.session("rp")
		w.settleDown()
		d := w.dispatcher()
		defer run(d.Run)()
		o, err := w.ender(d).End(t.Context(), storage.Selector{Client: "rp"}, storage.Cause{Reason: storage.ReasonClientRemoved, By: "admin"}, storage.Change{RemoveClient: "rp"})
		w.must(err)
		synctest.Wait()
		if row := w.row(o, "rp"); row.Trust != storage.TrustConfirmed {
			t.Errorf("got %+v, want it confirmed", row)
		}
	})
}

func TestRevokedGrantIsBoundedByWhatWasGivenWhateverTheClientIsNow(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.client("rp", storage.Metadata{AccessTokenFormat: "jwt"})
		end := time.Now().Add(time.Hour) // lifetimes were longer then
		code, next := storage.HashOf("first"), storage.HashOf("second")
		w.join(w.session(), "rp", storage.Issue{Grant: storage.Grant{ID: "g", Session: "s", Refresh: code, Created: time.Now()}, Trust: storage.Trust{JWT: end}})
		time.Sleep(time.Second)
		c, err := w.store.Client(t.Context(), "rp")
		w.must(err)
		opaque := *c
		opaque.AccessTokenFormat, opaque.Updated = "", time.Now()
		w.must(w.store.PutClient(t.Context(), opaque))
		time.Sleep(time.Second)
		_, err = w.store.Refresh(t.Context(), storage.Refresh{Token: code, Successor: next, Client: "rp"}, time.Now(), func(g storage.Grant, _ *storage.Session) (storage.Issue, error) {
			g.LastUsed = time.Now()
			return storage.Issue{Grant: g}, nil
		})
		w.must(err)
		o := w.end(w.ender(w.dispatcher()), storage.Selector{Grant: "g"})
		r, err := w.store.Report(t.Context(), o.Reports[0])
		w.must(err)
		if row := r.Row(KindTokens, "rp"); row == nil || row.Until.Before(end) {
			t.Errorf("got %+v, though a JWT is good until %v", row, end)
		}
	})
}

func TestMassEndingIsToldPageByPage(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.client("rp", storage.Metadata{})
		w.client("dead", storage.Metadata{})
		w.answer = func(ctx context.Context, got told) (Reply, error) {
			if got.client == "dead" {
				<-ctx.Done()
				return Reply{}, ctx.Err()
			}
			return Reply{Status: 200}, nil
		}
		const sessions = 2500
		ids := w.sessions(sessions, "rp", "dead")
		w.settleDown()
		d := w.dispatcher()
		e := w.ender(d)
		count, err := e.Preview(t.Context(), storage.Selector{Everyone: true})
		w.must(err)
		if count.Sessions != sessions || count.Members != 2*sessions || count.Deliveries != 2*sessions {
			t.Errorf("dry run: got %+v", count)
		}
		defer run(d.Run)()
		o := w.end(e, storage.Selector{Everyone: true})
		if !o.More || len(o.Ended) != DefaultPage {
			t.Errorf("first page: got %d, more %v", len(o.Ended), o.More)
		}
		for _, id := range ids {
			if _, err := w.store.Session(t.Context(), id, time.Now()); !errors.Is(err, storage.ErrNotFound) {
				t.Fatalf("a session is found after the ending was acknowledged: %v", err)
			}
		}

		// The process dies after some pages; the next one goes on.
		store := &mortal{Store: w.store}
		first := w.ender(d)
		first.Store = store
		store.pages.Store(4) // one sweep, three pages
		stop := run(first.Run)
		time.Sleep(5 * time.Second)
		stop()
		endings, err := w.store.ListEndings(t.Context())
		w.must(err)
		if len(endings) != 1 || !endings[0].Finished.IsZero() || endings[0].Done.Sessions != 4*DefaultPage {
			t.Fatalf("after the crash: got %+v, want one unfinished", endings)
		}
		defer run(e.Run)()
		// A relying party that hangs holds nobody up.
		time.Sleep(time.Minute)
		if endings, err = w.store.ListEndings(t.Context()); err != nil || endings[0].Finished.IsZero() || endings[0].Done.Sessions != sessions {
			t.Errorf("at last: got %+v, %v, want all %d", endings, err, sessions)
		}
		sids := map[any]bool{}
		for _, r := range w.got("rp") {
			sids[r.sid] = true
		}
		if len(w.got("rp")) != sessions || len(sids) != sessions {
			t.Errorf("told %d times of %d sessions, want %d", len(w.got("rp")), len(sids), sessions)
		}
	})
}

func TestMassEndingIsGoneOnWithThoughItsFirstAnswerWasLost(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.client("rp", storage.Metadata{})
		const sessions = 2*DefaultPage + 1
		w.sessions(sessions, "rp")
		w.settleDown()
		d := w.dispatcher()
		defer run(d.Run)()
		e := w.ender(d)
		store := &silent{Store: w.store}
		e.Store = store
		defer run(e.Run)()
		time.Sleep(5 * time.Second) // what an earlier process left has been looked for
		store.lost.Store(true)
		if _, err := e.End(t.Context(), storage.Selector{Everyone: true}, storage.Cause{Reason: storage.ReasonAdmin, By: "admin"}, storage.Change{}); !errors.Is(err, storage.ErrUnavailable) {
			t.Fatalf("got %v, want an unknown outcome", err)
		}
		store.lost.Store(false)
		time.Sleep(time.Minute)
		if got := len(w.got("rp")); got != sessions {
			t.Errorf("told %d times, want %d", got, sessions)
		}
	})
}

func TestExpiredSessionIsToldWithinSeconds(t *testing.T) {
	tests := []struct {
		name   string
		silent bool
		touch  time.Duration // 0: the session is left alone
		after  time.Duration
		reason storage.Reason
	}{
		{"idle", false, 0, 8 * time.Hour, storage.ReasonIdle},
		{"absolute", false, time.Hour, 24 * time.Hour, storage.ReasonAbsolute},
		{"silent", true, 0, 8 * time.Hour, storage.ReasonIdle},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.client("rp", storage.Metadata{})
				began := time.Now()
				id := w.session("rp")
				for tt.touch > 0 && time.Since(began) < tt.after-tt.touch {
					time.Sleep(tt.touch)
					w.must(w.store.Touch(t.Context(), id, time.Now()))
				}
				time.Sleep(time.Until(began.Add(tt.after - time.Minute)))
				d := w.dispatcher()
				defer run(d.Run)()
				e := w.ender(d)
				e.SilentExpiry = tt.silent
				defer run(e.Run)()
				time.Sleep(59 * time.Second)
				if _, err := w.store.Session(t.Context(), id, time.Now()); err != nil {
					t.Errorf("it ended before its time: %v", err)
				}
				time.Sleep(6 * time.Second)
				list, _, err := w.store.ListReports(t.Context(), storage.ReportFilter{}, storage.Page{})
				w.must(err)
				if len(list) != 1 || list[0].Cause.Reason != tt.reason || list[0].At.Sub(began.Add(tt.after)) > 5*time.Second {
					t.Fatalf("got %+v, want one report for %s", list, tt.reason)
				}
				row := *list[0].Row(KindApplication, "rp")
				if got := len(w.got("rp")); (got == 1) == tt.silent || (row.Trust == storage.TrustConfirmed) == tt.silent {
					t.Errorf("silent %v: told %d times, row %+v", tt.silent, got, row)
				}
				events, _, err := w.store.ListEvents(t.Context(), storage.EventFilter{Kind: "session.ended"}, storage.Page{})
				w.must(err)
				if len(events) != 1 || events[0].Reason != tt.reason {
					t.Errorf("audit: got %+v, want %s", events, tt.reason)
				}
			})
		})
	}
}

func TestManyExpiredSessionsAreAllTold(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.client("rp", storage.Metadata{})
		w.sessions(3*DefaultPage+1, "rp")
		time.Sleep(10 * time.Hour)
		d := w.dispatcher()
		defer run(d.Run)()
		defer run(w.ender(d).Run)()
		time.Sleep(5 * time.Second)
		if got := len(w.got("rp")); got != 3*DefaultPage+1 {
			t.Errorf("told %d times, want %d", got, 3*DefaultPage+1)
		}
	})
}

func TestWhatIsPastItsTimeIsRemoved(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		for i := range 2 * cleanAtOnce {
			w.must(w.store.Spend(t.Context(), fmt.Sprint(i), time.Now().Add(time.Second), time.Now()))
		}
		defer run(w.ender(w.dispatcher()).Run)()
		time.Sleep(2 * cleanEvery)
		synctest.Wait()
		if n, err := w.store.Sweep(t.Context(), time.Now(), 10); n != 0 || err != nil {
			t.Errorf("got %d left, %v", n, err)
		}
	})
}

func TestMetricsHearOfEverything(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.client("rp", storage.Metadata{})
		var heard []string
		hear := func(format string, args ...any) {
			w.mu.Lock()
			defer w.mu.Unlock()
			heard = append(heard, fmt.Sprintf(format, args...))
		}
		o := Observe{
			Ended:     func(r storage.Reason, whole bool) { hear("ended %s %v", r, whole) },
			Row:       func(kind string, trust storage.TrustState) { hear("row %s %s", kind, trust) },
			Horizon:   func(scope string, d time.Duration, unknown int) { hear("horizon %s %v %d", scope, d, unknown) },
			Attempt:   func(client, class string, _ time.Duration) { hear("attempt %s %s", client, class) },
			Settled:   func(client string, s storage.DeliveryState, late bool) { hear("settled %s %s %v", client, s, late) },
			Confirmed: func(client string, after time.Duration) { hear("confirmed %s %v", client, after) },
		}
		id := w.session("rp")
		w.settleDown()
		d := w.dispatcher()
		d.Observe = o
		e := w.ender(d)
		e.Observe = o
		defer run(d.Run)()
		w.end(e, storage.Selector{Sessions: []storage.SessionID{id}})
		synctest.Wait()
		want := []string{"ended rp_initiated true", "row application unknown", "horizon op 0s 0", "horizon tokens 0s 0", "horizon apps 0s 1",
			"attempt rp 200", "settled rp done false", "confirmed rp 0s", "row application confirmed"}
		slices.Sort(want)
		slices.Sort(heard)
		if !slices.Equal(heard, want) {
			t.Errorf("got %q, want %q", heard, want)
		}
	})
}
