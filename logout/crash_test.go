package logout

import (
	"context"
	"testing"
	"time"

	"github.com/curfew-id/curfew/storage"
)

func TestLostLeaseChangesNothing(t *testing.T) {
	withFixture(t, func(t *testing.T, w *fixture) {
		w.client("rp", storage.Metadata{})
		id := w.session("rp")
		w.waitRenotifyDelay()
		d := w.dispatcher()
		o := w.end(w.terminator(d), storage.Selector{Sessions: []storage.SessionID{id}})
		claimed, err := w.store.ClaimDeliveries(t.Context(), time.Now(), time.Second, 1, nil)
		w.must(err)
		time.Sleep(2 * time.Second)
		again, err := w.store.ClaimDeliveries(t.Context(), time.Now(), leaseDuration, 1, nil)
		w.must(err)
		late := evaluateAttempt(claimed[0], "jti", Response{Status: 404}, nil, time.Now(), 0.5)
		stale, err := w.store.RecordOutcomes(
			t.Context(),
			[]storage.DeliveryOutcome{late, evaluateAttempt(again[0], "jti", Response{Status: 200}, nil, time.Now(), 0.5)},
		)
		w.must(err)
		if entry := w.entry(o, "rp"); len(stale) != 1 || entry.Trust != storage.TrustConfirmed ||
			entry.LastAnswer.Status != 200 {
			t.Errorf("stale %v, entry %+v, want only the outcome recorded under the second lease", stale, entry)
		}
	})
}

func TestNoAttemptStartsOnAnExpiringLease(t *testing.T) {
	withFixture(t, func(t *testing.T, w *fixture) {
		w.client("rp", storage.Metadata{})
		d := w.dispatcher()
		o := d.attemptWithinLease(
			t.Context(),
			storage.Delivery{Client: "rp", LeasedUntil: time.Now().Add(AttemptTimeout)},
		)
		if !o.notSent || o.State != storage.DeliveryPending || len(w.receivedBy("rp")) != 0 {
			t.Errorf(
				"got %+v and %d tokens sent, want it given back unsent",
				o.DeliveryOutcome,
				len(w.receivedBy("rp")),
			)
		}
	})
}

func TestCrashRepeatsOnlyAttemptsInFlight(t *testing.T) {
	withFixture(t, func(t *testing.T, w *fixture) {
		for _, c := range []string{"done", "flying", "unreachable"} {
			w.client(c, storage.Metadata{})
		}
		var store *crashingStore
		w.respond = func(ctx context.Context, got receivedToken) (Response, error) {
			switch got.client {
			case "unreachable":
				return Response{}, refused{}
			case "flying":
				// The client ends its session, and the process is killed before the answer is recorded.
				if len(w.receivedBy("flying")) == 1 {
					time.Sleep(time.Second)
					store.crashed.Store(true)
				}
			}
			return Response{Status: 200}, nil
		}
		id := w.session("done", "flying", "unreachable")
		w.waitRenotifyDelay()
		d := w.dispatcher()
		store = &crashingStore{Store: w.store}
		d.Store = store
		stop := run(d.Run)
		o := w.end(w.terminator(d), storage.Selector{Sessions: []storage.SessionID{id}})
		time.Sleep(2 * time.Second)
		stop()

		defer run(w.dispatcher().Run)()
		time.Sleep(time.Minute)
		if a, b := len(w.receivedBy("done")), len(w.receivedBy("flying")); a != 1 || b != 2 {
			t.Errorf("notified %d and %d times, want 1 and 2", a, b)
		}
		for c, want := range map[string]storage.DeliveryState{
			"done":        storage.DeliveryDone,
			"flying":      storage.DeliveryDone,
			"unreachable": storage.DeliveryPending,
		} {
			if entry := w.entry(o, c); entry.Delivery != want {
				t.Errorf("%s: got %s, want %s", c, entry.Delivery, want)
			}
		}
	})
}

func TestShutdownFinishesAttemptsInFlightAndReleasesOtherClaims(t *testing.T) {
	withFixture(t, func(t *testing.T, w *fixture) {
		var flying int
		w.respond = func(ctx context.Context, _ receivedToken) (Response, error) {
			if len(w.receivedBy("rp")) <= 50 {
				return Response{Status: 200}, nil // quick, so that many are claimed ahead
			}
			w.mu.Lock()
			flying++
			w.mu.Unlock()
			select {
			case <-time.After(3 * time.Second):
				return Response{Status: 200}, nil
			case <-ctx.Done():
				return Response{}, ctx.Err()
			}
		}
		w.client("rp", storage.Metadata{})
		w.sessions(100, "rp")
		w.waitRenotifyDelay()
		d := w.dispatcher()
		stop := run(d.Run)
		w.end(w.terminator(d), storage.Selector{Subject: "u"})
		time.Sleep(time.Second)
		sent := len(w.receivedBy("rp"))
		if flying != maxPerHost {
			t.Fatalf("%d in flight, want %d", flying, maxPerHost)
		}
		began := time.Now()
		stop()
		if took := time.Since(began); took > AttemptTimeout {
			t.Errorf("it took %v to stop", took)
		}
		if got := len(w.receivedBy("rp")); got != sent {
			t.Errorf("%d more attempts were begun", got-sent)
		}
		for _, delivery := range w.deliveries() {
			switch {
			case delivery.State == storage.DeliveryDone:
				sent--
			case !delivery.LeasedUntil.IsZero() || delivery.NextAttempt.After(time.Now()):
				t.Errorf("got %+v, want it free to be taken", delivery)
			}
		}
		if sent != 0 {
			t.Errorf("%d answers were not recorded", sent)
		}
	})
}

func TestStoreOutageLosesNoAnswer(t *testing.T) {
	withFixture(t, func(t *testing.T, w *fixture) {
		w.client("rp", storage.Metadata{})
		id := w.session("rp")
		w.waitRenotifyDelay()
		d := w.dispatcher()
		store := &crashingStore{Store: w.store}
		d.Store = store
		w.respond = func(context.Context, receivedToken) (Response, error) {
			store.crashed.Store(true)
			time.AfterFunc(8*time.Second, func() { store.crashed.Store(false) })
			return Response{Status: 200}, nil
		}
		defer run(d.Run)()
		o := w.end(w.terminator(d), storage.Selector{Sessions: []storage.SessionID{id}})
		time.Sleep(15 * time.Second)
		if entry := w.entry(o, "rp"); entry.Trust != storage.TrustConfirmed || len(w.receivedBy("rp")) != 1 {
			t.Errorf("got %+v, notified %d times, want it confirmed by its one answer", entry, len(w.receivedBy("rp")))
		}
	})
}
