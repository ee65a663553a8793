package logout

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-id/curfew/storage"
)

func TestNextAttemptUsesCorrectedMetadata(t *testing.T) {
	withFixture(t, func(t *testing.T, w *fixture) {
		w.client("rp", storage.Metadata{LogoutTokenClaims: "sub"})
		w.respond = func(_ context.Context, got receivedToken) (Response, error) {
			if got.sid == nil {
				return Response{Status: 400}, nil
			}
			return Response{Status: 200}, nil
		}
		id := w.session("rp")
		w.waitRenotifyDelay()
		d := w.dispatcher()
		defer run(d.Run)()
		o := w.end(w.terminator(d), storage.Selector{Sessions: []storage.SessionID{id}})
		synctest.Wait()
		c, err := w.store.Client(t.Context(), "rp")
		w.must(err)
		mended := *c
		mended.LogoutTokenClaims = ""
		w.must(w.store.PutClient(t.Context(), mended))
		time.Sleep(time.Minute)
		if entry := w.entry(o, "rp"); entry.Trust != storage.TrustConfirmed || entry.Attempts != 2 {
			t.Errorf("got %+v, want it confirmed at the second attempt", entry)
		}
	})
}

func TestOperatorRetriesAndCancels(t *testing.T) {
	withFixture(t, func(t *testing.T, w *fixture) {
		w.client("rp", storage.Metadata{})
		status := 404
		w.respond = func(context.Context, receivedToken) (Response, error) { return Response{Status: status}, nil }
		id := w.session("rp")
		w.waitRenotifyDelay()
		d := w.dispatcher()
		defer run(d.Run)()
		o := w.end(w.terminator(d), storage.Selector{Sessions: []storage.SessionID{id}})
		time.Sleep(time.Hour)
		delivery := w.deliveries()[0]
		if delivery.State != storage.DeliveryFailed {
			t.Fatalf("got %s, want failed", delivery.State)
		}
		status = 503
		w.must(d.RetryDelivery(t.Context(), delivery.ID, "admin"))
		time.Sleep(time.Minute)
		if entry := w.entry(o, "rp"); entry.Delivery != storage.DeliveryPending || entry.LastAnswer.Status != 503 {
			t.Errorf("retried: got %+v, want it pending", entry)
		}
		w.must(d.CancelDelivery(t.Context(), delivery.ID, "admin"))
		sent := len(w.receivedBy("rp"))
		time.Sleep(24 * time.Hour)
		if entry := w.entry(o, "rp"); entry.Delivery != storage.DeliveryCancelled ||
			entry.Trust != storage.TrustUnknown ||
			len(w.receivedBy("rp")) != sent {
			t.Errorf(
				"given up: got %+v and %d more attempts, want cancelled and none",
				entry,
				len(w.receivedBy("rp"))-sent,
			)
		}
		if err := d.CancelDelivery(t.Context(), "nothing", "admin"); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("unknown delivery: got %v, want not found", err)
		}
	})
}

func TestTestTokenExplainsTheAnswer(t *testing.T) {
	withFixture(t, func(t *testing.T, w *fixture) {
		w.client("rp", storage.Metadata{})
		w.respond = func(context.Context, receivedToken) (Response, error) {
			return Response{Status: 400, Detail: `{"error":"invalid_request"}`}, nil
		}
		c, err := w.store.Client(t.Context(), "rp")
		w.must(err)
		trial, err := w.dispatcher().SendTestToken(t.Context(), c)
		w.must(err)
		if got := w.receivedBy("rp"); len(got) != 1 || got[0].sid != trial.SID || trial.Confirmed ||
			trial.Answer.Status != 400 ||
			trial.Answer.Detail == "" ||
			trial.Meaning == "" {
			t.Errorf("got %+v", trial)
		}
		if len(w.deliveries()) != 0 {
			t.Error("a trial left a delivery")
		}
	})
}
