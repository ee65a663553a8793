package fault

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// mustFillSessions signs users in that many times in all, at the three clients and those of more. Each user signs in one session at a time:
// parallel attempts at one password are limited.
func (w *world) mustFillSessions(n int, more ...string) []*visitor {
	w.t.Helper()
	visitors := make([]*visitor, n)
	var next atomic.Int64
	var all sync.WaitGroup
	for len(w.users) < 24 {
		w.mustAddUser(fmt.Sprintf("user%d", len(w.users)))
	}
	for _, user := range w.users {
		all.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n || w.t.Failed() {
					return
				}
				v := w.newVisitor()
				result := v.signIn(user)
				for _, client := range slices.Concat(clients[1:], more) {
					result = max(result, v.join(client))
				}
				if result != accepted || len(v.tokens) != len(clients)+len(more) {
					w.t.Errorf("got %d clients of a session, want %d", len(v.tokens), len(clients)+len(more))
				}
				visitors[i] = v
			}
		})
	}
	all.Wait()
	if w.t.Failed() {
		w.t.FailNow()
	}
	return visitors
}

// bulkLogout is what one came to.
type bulkLogout struct {
	answered, cutoff, notified time.Duration
	tokens, duplicates         int
	peakMB                     int
}

// mustLogOutAll ends all sessions by one request, kills the server that often meanwhile, and waits until all three clients of each
// session are notified.
func (w *world) mustLogOutAll(visitors []*visitor, kills int) (got bulkLogout) {
	w.t.Helper()
	start := time.Now()
	answered := make(chan error, 1)
	var sessions []int
	for _, v := range visitors {
		sessions = append(sessions, v.session)
	}
	go func() {
		w.history.recordAll(sessions, "the bulk logout", func() result {
			_, err := w.admin(http.MethodPost, bulkLogoutPath, allUsers)
			answered <- err
			if err != nil {
				return unknown
			}
			return accepted
		})
	}()
	probe := visitors[len(visitors)-1]
	for probe.introspect(clients[0]) != refused {
		if time.Since(start) > time.Minute {
			w.t.Fatal("got an active access token a minute after the bulk logout")
		}
	}
	got.cutoff = time.Since(start)
	if err := <-answered; err != nil {
		w.t.Fatal(err)
	}
	got.answered = time.Since(start)
	for range kills {
		time.Sleep(300 * time.Millisecond)
		_, peak := w.memory()
		got.peakMB = max(got.peakMB, peak)
		w.op.Kill()
		w.mustLaunch()
	}
	expected := map[string]bool{}
	for _, v := range visitors {
		for _, client := range clients {
			expected[v.tokens[client].sid] = true
		}
	}
	for {
		reached, all := 0, w.parties.bySID()
		for sid := range expected {
			if all[sid] > 0 {
				reached++
			}
		}
		if reached == len(expected) {
			break
		}
		if time.Since(start) > 10*time.Minute {
			w.t.Fatalf("got %d of %d clients notified in ten minutes", reached, len(expected))
		}
		time.Sleep(20 * time.Millisecond)
	}
	got.notified = time.Since(start)
	_, peak := w.memory()
	got.peakMB = max(got.peakMB, peak)
	for sid, n := range w.parties.bySID() {
		got.tokens += n
		if expected[sid] {
			got.duplicates += max(0, n-1)
		}
	}
	for _, v := range visitors[:min(len(visitors), 200)] {
		v.look()
	}
	if verdict := w.history.check(); !verdict.ok() {
		w.t.Errorf("got %v: %+v", verdict, verdict)
	}
	return got
}

// TestBulkLogoutReachesAllClients: all sessions end at once, and all clients are notified, also when the server is killed meanwhile.
func TestBulkLogoutReachesAllClients(t *testing.T) {
	n := rounds(200, 20000)
	for _, kills := range []int{0, 3} {
		w := mustStart(t, mustBuild(t, "-tags", "curfewfault"), nil)
		got := w.mustLogOutAll(w.mustFillSessions(n), kills)
		name := fmt.Sprintf("bulk logout, %d sessions × 3", n)
		if kills > 0 {
			name += fmt.Sprintf(", killed %d times", kills)
		}
		row(t, name, "refused after %d ms, answered after %d ms; all clients notified after %.1f s; %d logout tokens, %d of them repeated; peak memory %d MB",
			got.cutoff.Milliseconds(), got.answered.Milliseconds(), got.notified.Seconds(), got.tokens, got.duplicates, got.peakMB)
		w.op.Stop()
	}
}

// TestBulkLogoutIsAsFastBesideAHungHost: one client's host takes connections and never answers. The others are notified all the same.
func TestBulkLogoutIsAsFastBesideAHungHost(t *testing.T) {
	n := rounds(200, 20000)
	var took [2]time.Duration
	for i, hangs := range []bool{false, true} {
		w := mustStart(t, mustBuild(t, "-tags", "curfewfault"), nil)
		hung := mustServeParties(t)
		w.mustAddClient("dune", hung.url("dune"), nil)
		// The host is known before: it has answered once.
		first := w.mustFillSessions(1, "dune")
		first[0].signOut()
		for len(hung.received()) == 0 {
			time.Sleep(10 * time.Millisecond)
		}
		if hangs {
			release := make(chan struct{})
			t.Cleanup(func() { close(release) })
			hung.setAnswer(func(_ string, _ http.ResponseWriter, r *http.Request) bool {
				select {
				case <-release:
				case <-r.Context().Done():
				}
				return true
			})
		}
		visitors := w.mustFillSessions(n, "dune")
		took[i] = w.mustLogOutAll(visitors, 0).notified
		w.op.Kill()
	}
	// Two runs on a shared machine differ by more than the hung host costs: the limit is generous, the figures stand in the row.
	if took[1] > 2*took[0]+5*time.Second {
		t.Errorf("got %s beside a hung host, %s without", took[1], took[0])
	}
	row(t, fmt.Sprintf("bulk logout, %d sessions × 4, one host hangs", n), "the other three notified after %.1f s, after %.1f s when that host answers",
		took[1].Seconds(), took[0].Seconds())
}
