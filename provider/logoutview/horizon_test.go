package logoutview

import (
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/storage"
)

func TestApplicationThatRanOutIsNotSaidToHaveConfirmed(t *testing.T) {
	at := time.Date(2026, 11, 21, 10, 2, 13, 0, time.UTC)
	r := storage.Report{EndedAt: at, Entries: []storage.ReportEntry{
		{Kind: logout.KindClientSession, Client: "a", Trust: storage.TrustConfirmed, Delivery: storage.DeliveryDone},
		{Kind: logout.KindClientSession, Client: "b", Trust: storage.TrustExpiring, ExpiresAt: at.Add(time.Minute), Delivery: storage.DeliveryFailed},
	}}
	for after, want := range map[time.Duration]string{time.Second: "1 confirmed, 1 by 10:04 UTC", time.Hour: "1 confirmed, 1 ended"} {
		now := at.Add(after)
		if got := ReportHorizon(r, now).SinceEnd(at, now).Clients.String(); !strings.HasPrefix(got, want) {
			t.Errorf("after %v: got %q, want %q", after, got, want)
		}
	}
}
