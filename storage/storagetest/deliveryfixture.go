package storagetest

import (
	"time"

	"github.com/curfew-id/curfew/storage"
)

// deliveryfixture.go makes and claims the deliveries of tests.

// delivery returns a delivery that is due that many seconds after t0. Each has another client.
func delivery(id, host string, due int) storage.Delivery {
	at := after(time.Duration(due) * time.Second)
	return storage.Delivery{
		ID:          id,
		Client:      "app " + id,
		Host:        host,
		URI:         "https://" + host,
		State:       storage.DeliveryPending,
		Created:     at,
		NextAttempt: at,
		GiveUpAt:    after(24 * time.Hour),
	}
}

// mustDeliver puts deliveries into the outbox, by a termination.
func (w *world) mustDeliver(list ...storage.Delivery) {
	w.Helper()
	w.mustPlan(storage.Plan{Deliveries: list})
}

// mustReport puts deliveries into the outbox, with a report that has an entry for each of them.
func (w *world) mustReport(list ...storage.Delivery) {
	w.Helper()
	r := &storage.Report{
		ID:          "report",
		Cause:       cause("x"),
		SessionHash: "hash",
		Subject:     "ann",
		EndedAt:     t0,
		DeleteAfter: after(30 * 24 * time.Hour),
	}
	for i := range list {
		list[i].Report = r.ID
		r.Entries = append(r.Entries, storage.ReportEntry{
			Kind:     "client_session",
			Client:   list[i].Client,
			Trust:    storage.TrustUnknown,
			Delivery: storage.DeliveryPending,
		})
	}
	w.mustPlan(storage.Plan{Report: r, Deliveries: list})
}

// mustPlan writes a plan by a termination.
func (w *world) mustPlan(p storage.Plan) {
	w.Helper()
	if w.nextRound() == 1 {
		w.mustUsers("ann")
	}
	id := w.mustSession(w.id("s"), "ann", t0)
	_, _, err := w.EndSessions(
		w.ctx,
		storage.EndRequest{Selector: storage.Selector{Sessions: []storage.SessionID{id}}, Cause: cause("x")},
		t0,
		0,
		func(storage.Termination) storage.Plan { return p },
	)
	w.must(err)
}

// mustClaim claims deliveries for 30 seconds, and stops the test unless their ids are want.
func (w *world) mustClaim(
	at time.Time,
	max int,
	newFilter func() storage.ClaimFilter,
	want ...string,
) []storage.Delivery {
	w.Helper()
	list, err := w.ClaimDeliveries(w.ctx, at, 30*time.Second, max, newFilter)
	w.must(err)
	var ids []string
	for _, d := range list {
		ids = append(ids, d.ID)
	}
	mustEqual(w, "claimed", ids, want)
	return list
}
