package logout

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-id/curfew/storage"
)

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
