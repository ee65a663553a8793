package logout

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-id/curfew/storage"
)

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

func TestClockThatIsPutBackHoldsNobodyUp(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		var ahead atomic.Int64
		ahead.Store(int64(3 * time.Hour))
		e := w.ender(w.dispatcher())
		e.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		w.must(w.store.Spend(t.Context(), "used", time.Now(), time.Now().Add(time.Hour), time.Now()))
		defer run(e.Run)()
		time.Sleep(2 * cleanEvery) // it is forgotten meanwhile
		ahead.Store(0)
		time.Sleep(2 * sweepEvery)
		now := time.Now()
		w.must(w.store.Spend(t.Context(), "next", now, now.Add(time.Hour), now))
		if err := w.store.Spend(t.Context(), "used", now.Add(-2*cleanEvery), now.Add(time.Minute), now); !errors.Is(err, storage.ErrSpent) {
			t.Errorf("got error %v for what was used before the clock went wrong, want %v", err, storage.ErrSpent)
		}
	})
}

func TestWhatIsPastItsTimeIsRemoved(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		for i := range 2 * cleanAtOnce {
			w.must(w.store.Spend(t.Context(), fmt.Sprint(i), time.Now(), time.Now().Add(time.Second), time.Now()))
		}
		defer run(w.ender(w.dispatcher()).Run)()
		time.Sleep(2 * cleanEvery)
		synctest.Wait()
		if n, err := w.store.Sweep(t.Context(), time.Now(), 10); n != 0 || err != nil {
			t.Errorf("got %d left, %v", n, err)
		}
	})
}
