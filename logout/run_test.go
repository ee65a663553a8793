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

func TestBulkLogoutNotifiesPageByPage(t *testing.T) {
	withFixture(t, func(t *testing.T, w *fixture) {
		w.client("rp", storage.Metadata{})
		w.client("unreachable", storage.Metadata{})
		w.respond = func(ctx context.Context, got receivedToken) (Response, error) {
			if got.client == "unreachable" {
				<-ctx.Done()
				return Response{}, ctx.Err()
			}
			return Response{Status: 200}, nil
		}
		const sessions = 2500
		ids := w.sessions(sessions, "rp", "unreachable")
		w.waitRenotifyDelay()
		d := w.dispatcher()
		e := w.terminator(d)
		count, err := e.Preview(t.Context(), storage.Selector{AllUsers: true})
		w.must(err)
		if count.Sessions != sessions || count.ClientSessions != 2*sessions || count.Deliveries != 2*sessions {
			t.Errorf("dry run: got %+v", count)
		}
		defer run(d.Run)()
		o := w.end(e, storage.Selector{AllUsers: true})
		if !o.More || len(o.Terminations) != firstPageSize {
			t.Errorf("first page: got %d, more %v", len(o.Terminations), o.More)
		}
		for _, id := range ids {
			if _, err := w.store.Session(t.Context(), id, time.Now()); !errors.Is(err, storage.ErrNotFound) {
				t.Fatalf("a session is found after the termination was acknowledged: %v", err)
			}
		}

		// The process crashes after some pages; the next one goes on.
		store := &crashingStore{Store: w.store}
		first := w.terminator(d)
		first.Store = store
		store.pages.Store(4) // one sweep, three pages
		stop := run(first.Run)
		time.Sleep(5 * time.Second)
		stop()
		bulkLogouts, err := w.store.ListBulkLogouts(t.Context())
		w.must(err)
		if len(bulkLogouts) != 1 || !bulkLogouts[0].Finished.IsZero() ||
			bulkLogouts[0].Done.Sessions != firstPageSize+3*DefaultPageSize {
			t.Fatalf("after the crash: got %+v, want one unfinished", bulkLogouts)
		}
		defer run(e.Run)()
		// A relying party that hangs delays no other.
		time.Sleep(time.Minute)
		if bulkLogouts, err = w.store.ListBulkLogouts(t.Context()); err != nil || bulkLogouts[0].Finished.IsZero() ||
			bulkLogouts[0].Done.Sessions != sessions {
			t.Errorf("at last: got %+v, %v, want all %d", bulkLogouts, err, sessions)
		}
		sids := map[any]bool{}
		for _, r := range w.receivedBy("rp") {
			sids[r.sid] = true
		}
		if len(w.receivedBy("rp")) != sessions || len(sids) != sessions {
			t.Errorf("notified %d times of %d sessions, want %d", len(w.receivedBy("rp")), len(sids), sessions)
		}
	})
}

func TestBulkLogoutContinuesAfterALostFirstReply(t *testing.T) {
	withFixture(t, func(t *testing.T, w *fixture) {
		w.client("rp", storage.Metadata{})
		const sessions = 2*DefaultPageSize + 1
		w.sessions(sessions, "rp")
		w.waitRenotifyDelay()
		d := w.dispatcher()
		defer run(d.Run)()
		e := w.terminator(d)
		store := &lostReplyStore{Store: w.store}
		e.Store = store
		defer run(e.Run)()
		time.Sleep(5 * time.Second) // what an earlier process left has been looked for
		store.lost.Store(true)
		if _, err := e.End(t.Context(), storage.EndRequest{
			Selector: storage.Selector{AllUsers: true},
			Cause:    storage.Cause{Reason: storage.ReasonAdmin, By: "admin"},
		}); !errors.Is(err, storage.ErrUnavailable) {
			t.Fatalf("got %v, want an unknown outcome", err)
		}
		store.lost.Store(false)
		time.Sleep(time.Minute)
		if got := len(w.receivedBy("rp")); got != sessions {
			t.Errorf("notified %d times, want %d", got, sessions)
		}
	})
}

func TestExpiryIsNotifiedWithinSeconds(t *testing.T) {
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
			withFixture(t, func(t *testing.T, w *fixture) {
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
				e := w.terminator(d)
				e.SilentExpiry = tt.silent
				defer run(e.Run)()
				time.Sleep(59 * time.Second)
				if _, err := w.store.Session(t.Context(), id, time.Now()); err != nil {
					t.Errorf("it ended before its time: %v", err)
				}
				time.Sleep(6 * time.Second)
				list, _, err := w.store.ListReports(t.Context(), storage.ReportFilter{}, storage.Page{})
				w.must(err)
				if len(list) != 1 || list[0].Cause.Reason != tt.reason ||
					list[0].EndedAt.Sub(began.Add(tt.after)) > 5*time.Second {
					t.Fatalf("got %+v, want one report for %s", list, tt.reason)
				}
				entry := *list[0].Entry(KindClientSession, "rp")
				if got := len(w.receivedBy("rp")); (got == 1) == tt.silent ||
					(entry.Trust == storage.TrustConfirmed) == tt.silent {
					t.Errorf("silent %v: notified %d times, entry %+v", tt.silent, got, entry)
				}
				events, _, err := w.store.ListEvents(
					t.Context(),
					storage.EventFilter{Kind: "session.ended"},
					storage.Page{},
				)
				w.must(err)
				if len(events) != 1 || events[0].Reason != tt.reason {
					t.Errorf("audit: got %+v, want %s", events, tt.reason)
				}
			})
		})
	}
}

func TestManyExpiriesAreAllNotified(t *testing.T) {
	withFixture(t, func(t *testing.T, w *fixture) {
		w.client("rp", storage.Metadata{})
		w.sessions(3*DefaultPageSize+1, "rp")
		time.Sleep(10 * time.Hour)
		d := w.dispatcher()
		defer run(d.Run)()
		defer run(w.terminator(d).Run)()
		time.Sleep(5 * time.Second)
		if got := len(w.receivedBy("rp")); got != 3*DefaultPageSize+1 {
			t.Errorf("notified %d times, want %d", got, 3*DefaultPageSize+1)
		}
	})
}

func TestClockStepBackDelaysNothing(t *testing.T) {
	withFixture(t, func(t *testing.T, w *fixture) {
		var ahead atomic.Int64
		ahead.Store(int64(3 * time.Hour))
		e := w.terminator(w.dispatcher())
		e.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		w.must(w.store.MarkUsed(t.Context(), "used", time.Now(), time.Now().Add(time.Hour), time.Now()))
		defer run(e.Run)()
		time.Sleep(2 * cleanupInterval) // it is forgotten meanwhile
		ahead.Store(0)
		time.Sleep(2 * expiryInterval)
		now := time.Now()
		w.must(w.store.MarkUsed(t.Context(), "next", now, now.Add(time.Hour), now))
		if err := w.store.MarkUsed(t.Context(), "used", now.Add(-2*cleanupInterval), now.Add(time.Minute), now); !errors.Is(
			err,
			storage.ErrAlreadyUsed,
		) {
			t.Errorf("got error %v for what was used before the clock went wrong, want %v", err, storage.ErrAlreadyUsed)
		}
	})
}

func TestExpiredRecordsAreRemoved(t *testing.T) {
	withFixture(t, func(t *testing.T, w *fixture) {
		for i := range 2 * cleanupBatch {
			w.must(w.store.MarkUsed(t.Context(), fmt.Sprint(i), time.Now(), time.Now().Add(time.Second), time.Now()))
		}
		defer run(w.terminator(w.dispatcher()).Run)()
		time.Sleep(2 * cleanupInterval)
		synctest.Wait()
		if n, err := w.store.Sweep(t.Context(), time.Now(), 10); n != 0 || err != nil {
			t.Errorf("got %d left, %v", n, err)
		}
	})
}
