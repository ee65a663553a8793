package logout

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// TestUnknownHostsAreCounted: none of a hundred hosts was called before, and none answers. Each first attempt waits at
// most for the slots that hosts before it have left.
func TestUnknownHostsAreCounted(t *testing.T) {
	withFixture(t, func(t *testing.T, w *fixture) {
		const hosts = 100
		var clients []string
		for i := range hosts {
			clients = append(clients, fmt.Sprint("hanging", i))
			w.client(clients[i], storage.Metadata{})
		}
		w.hangs(hasName(clients))
		w.session(clients...)
		w.waitRenotifyDelay()
		d := w.dispatcher()
		var observed UnknownHosts
		d.Observer.OnUnknownHosts = func(counts UnknownHosts) { observed = counts }
		defer run(d.Run)()
		synctest.Wait()
		w.end(w.terminator(d), storage.Selector{AllUsers: true})
		time.Sleep(100 * time.Millisecond)
		if got := d.UnknownHosts(); got.Waiting != hosts || got.Tried != classLimits[operatorUnknown].inFlight {
			t.Errorf("after the first attempts: got %+v, want %d waiting, and one tried for each slot", got, hosts)
		}
		time.Sleep(AttemptTimeout)
		synctest.Wait()
		got := d.UnknownHosts()
		if got.Waiting != 0 || got.Tried != hosts {
			t.Errorf("got %+v, want all tried and none waiting", got)
		}
		if got.LongestWait < slowThreshold || got.LongestWait > 4*slowThreshold {
			t.Errorf("got a longest wait of %v, want three rounds of slots", got.LongestWait)
		}
		if observed != got {
			t.Errorf("the observer got %+v, want %+v", observed, got)
		}
	})
}
