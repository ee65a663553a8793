package logout

import (
	"context"
	"testing"
	"time"

	"github.com/curfew-id/curfew/storage"
)

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
