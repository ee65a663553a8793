package logoutview

import (
	"testing"
	"time"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/storage"
)

func TestClientSessionThatRanOutIsNotCountedAsConfirmed(t *testing.T) {
	at := time.Date(2026, 11, 21, 10, 2, 13, 0, time.UTC)
	r := storage.Report{
		EndedAt: at,
		Entries: []storage.ReportEntry{
			{
				Kind:     logout.KindClientSession,
				Client:   "a",
				Trust:    storage.TrustConfirmed,
				Delivery: storage.DeliveryDone,
			},
			{
				Kind:      logout.KindClientSession,
				Client:    "b",
				Trust:     storage.TrustExpiring,
				ExpiresAt: at.Add(time.Minute),
				Delivery:  storage.DeliveryFailed,
			},
		},
	}
	for after, want := range map[time.Duration][3]int{time.Second: {1, 1, 0}, time.Hour: {1, 0, 1}} {
		h := ReportHorizon(r, nil, at.Add(after))
		if got := [3]int{h.Confirmed, h.Expiring, h.Over}; got != want {
			t.Errorf("after %v: got %v confirmed, expiring, over; want %v", after, got, want)
		}
	}
}
