package bolt

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// mustOwe puts deliveries into the outbox that are due now.
func mustOwe(t *testing.T, s *Store, now time.Time, n int) {
	t.Helper()
	must(t, s.PutUser(t.Context(), storage.User{Subject: "ann", Name: "ann"}))
	must(
		t,
		s.CreateSession(
			t.Context(),
			storage.Session{ID: "s", SecretHash: storage.HashOf("s"), Subject: "ann", Created: now, LastActive: now,
				IdleTimeout: time.Hour, Expires: now.Add(time.Hour)},
			storage.Event{},
		),
	)
	_, _, err := s.EndSessions(
		t.Context(),
		storage.EndRequest{Selector: storage.Selector{Subject: "ann"}, Cause: storage.Cause{ID: "c"}},
		now,
		0,
		func(storage.Termination) (p storage.Plan) {
			for i := range n {
				p.Deliveries = append(p.Deliveries, storage.Delivery{
					ID:          fmt.Sprintf("d%07d", i),
					Host:        "h",
					State:       storage.DeliveryPending,
					Created:     now,
					NextAttempt: now,
					GiveUpAt:    now.Add(time.Hour),
				})
			}
			return p
		},
	)
	must(t, err)
}

// TestLeasesEndWithTheirProcess: what was in flight when the process stopped is delivered at once by the next,
// whatever its clock says, and an outcome under the old lease counts no more.
func TestLeasesEndWithTheirProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "curfew.db")
	now := time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)
	s := mustOpen(t, Options{Path: path})
	mustOwe(t, s, now, 4)
	claimed, err := s.ClaimDeliveries(t.Context(), now, 20*time.Second, 3, nil)
	must(t, err)
	must(t, s.Close())

	s = mustOpen(t, Options{Path: path})
	next, err := s.NextDelivery(t.Context())
	must(t, err)
	if !next.Equal(now) {
		t.Errorf("got the next delivery at %v, want it due since %v", next, now)
	}
	again, err := s.ClaimDeliveries(
		t.Context(),
		now,
		20*time.Second,
		10,
		func() storage.ClaimFilter { return func(host string) bool { return host == "h" } },
	)
	must(t, err)
	if len(again) != 4 || again[0].ID != claimed[0].ID || again[0].Lease <= claimed[0].Lease {
		t.Fatalf("got %+v claimed after the restart, want all four under new leases", again)
	}
	stale, err := s.RecordOutcomes(
		t.Context(),
		[]storage.DeliveryOutcome{{ID: claimed[0].ID, Lease: claimed[0].Lease, State: storage.DeliveryDone}},
	)
	must(t, err)
	if len(stale) != 1 {
		t.Error("got an outcome recorded under the lease of a process that stopped")
	}
	more, err := s.ClaimDeliveries(t.Context(), now.Add(19*time.Second), 20*time.Second, 10, nil)
	must(t, err)
	if len(more) != 0 {
		t.Errorf("got %d claimed that are leased", len(more))
	}
}
