package logout

import (
	"testing"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// TestNotificationThatWasPutOffIsTriedForAMinute: the longest wait of the signed-out page is as long as the shortest
// time for which a delivery is tried. A client whose bound passes soon is notified all the same.
func TestNotificationThatWasPutOffIsTriedForAMinute(t *testing.T) {
	ended := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	client := &storage.Client{Metadata: storage.Metadata{
		ClientID:             "atlas",
		BackchannelLogoutURI: "https://atlas.example/bcl",
		SessionExpiry:        60,
	}}
	termination := storage.Termination{
		Cause:   storage.Cause{ID: "cause", Client: "atlas"},
		EndedAt: ended,
		Session: storage.Session{
			ID: "session",
			ClientSessions: []storage.ClientSession{{
				Client:      "atlas",
				SID:         "sid",
				Joined:      ended.Add(-time.Second),
				TokenExpiry: storage.TokenExpiry{SessionExpiry: ended.Add(-time.Minute)},
			}},
		},
		WholeSession: true,
		Clients:      map[string]*storage.Client{"atlas": client},
	}
	terminator := &Terminator{RedirectDelay: time.Minute}
	plan := Plan(terminator, termination, time.Time{})
	returning := terminator.planInitiator(&plan, termination, storage.Initiator{SID: "sid"})
	if len(plan.Deliveries) != 1 || returning.delivery != plan.Deliveries[0].ID {
		t.Fatalf("got deliveries %+v, want the one that was put off and no re-notification", plan.Deliveries)
	}
	d := plan.Deliveries[0]
	due := ended.Add(time.Minute + initiatorAllowance)
	if !d.Initiator || !d.NextAttempt.Equal(due) || d.GiveUpAt.Before(due.Add(minDeliveryPeriod)) {
		t.Errorf("got %+v, want it due at %v and tried for a minute", d, due)
	}
	if entry := plan.Report.Entry(KindClientSession, "atlas"); !entry.Initiator || entry.Renotification != "" ||
		!entry.NextAttempt.Equal(due) {
		t.Errorf("got entry %+v, want the due time and no re-notification", entry)
	}
}
