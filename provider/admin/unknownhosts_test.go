package admin_test

import (
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider/admin"
)

// waitingOutbox is a dispatcher whose deliveries to hosts that were never called wait for the network.
type waitingOutbox struct {
	admin.Outbox
	hosts logout.UnknownHosts
}

// UnknownHosts implements admin.Outbox.
func (o waitingOutbox) UnknownHosts() logout.UnknownHosts { return o.hosts }

// TestStatusAndDoctorShowHostsThatWereNeverCalled: the doctor names them only while they wait, and wait for long.
func TestStatusAndDoctorShowHostsThatWereNeverCalled(t *testing.T) {
	for _, c := range []struct {
		hosts   logout.UnknownHosts
		healthy bool
	}{
		{logout.UnknownHosts{}, true},
		{logout.UnknownHosts{Waiting: 3, Tried: 5, LongestWait: time.Second}, true},
		{logout.UnknownHosts{Waiting: 0, Tried: 400, LongestWait: time.Minute}, true},
		{logout.UnknownHosts{Waiting: 128, Tried: 400, LongestWait: time.Minute}, false},
	} {
		d := mustStart(t, func(config *admin.Config) { config.Outbox = waitingOutbox{config.Outbox, c.hosts} })
		got := must[admin.Status](d, 200, "GET", "/status", "").UnknownHosts
		want := admin.UnknownHosts{
			Waiting:            c.hosts.Waiting,
			Tried:              c.hosts.Tried,
			LongestWaitSeconds: c.hosts.LongestWait.Seconds(),
		}
		if got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		diagnosis := must[admin.Diagnosis](d, 200, "GET", "/doctor", "")
		named := strings.Contains(strings.Join(diagnosis.Problems, "\n"), "128 hosts that were never called")
		if diagnosis.Healthy != c.healthy || named == c.healthy {
			t.Errorf("%+v: got healthy %v and problems %q", c.hosts, diagnosis.Healthy, diagnosis.Problems)
		}
	}
}
