package fault

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// mustFillSessions signs users in that many times in all, at the three clients and those of more. Each user signs in
// one session at a time: parallel attempts at one password are limited.
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
	commit                     time.Duration // how long the change of one user takes before it
	answered, cutoff, notified time.Duration
	tokens, duplicates         int
	peakMB                     int
}

// mustLogOutAll ends all sessions by one request, kills the server that often meanwhile, and waits until all three
// clients of each session are notified.
func (w *world) mustLogOutAll(visitors []*visitor, kills int) (got bulkLogout) {
	w.t.Helper()
	got.commit = w.mustMeasureCommit()
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
	if checked := w.history.check(); !checked.ok() {
		w.t.Errorf("got %v: %s", checked, checked.examples())
	}
	return got
}

// mustMeasureCommit returns how long a change of a user takes, the median of some: one commit on this disk now.
func (w *world) mustMeasureCommit() time.Duration {
	w.t.Helper()
	var list []time.Duration
	for i := range 15 {
		start := time.Now()
		w.mustAdmin(http.MethodPatch, "/users/"+w.users[0], map[string]any{"given_name": fmt.Sprint("Ada ", i)})
		list = append(list, time.Since(start))
	}
	slices.Sort(list)
	return list[len(list)/2]
}

// TestBulkLogoutReachesAllClients: all sessions end at once and all clients are notified, also when the server is
// killed meanwhile, and when one client's host takes connections and never answers. All three begin with the same
// store.
func TestBulkLogoutReachesAllClients(t *testing.T) {
	n := rounds(150, 20000)
	w := mustStart(t, mustBuild(t, "-tags", "curfewfault"), nil)
	dune := mustServeParties(t)
	w.mustAddClient("dune", dune.url("dune"), nil)
	// The host is known before: it has answered once.
	w.mustFillSessions(1, "dune")[0].signOut()
	for len(dune.received()) == 0 {
		time.Sleep(10 * time.Millisecond)
	}
	visitors := w.mustFillSessions(n, "dune")
	w.op.Stop()
	store := filepath.Join(w.dataFolder(), "curfew.db")
	mustCopy(t, store, store+".filled")
	var plain bulkLogout
	for _, scenario := range []string{"", "killed 3 times", "one host hangs"} {
		mustCopy(t, store+".filled", store)
		w.parties.forget()
		w.history = newHistory()
		kills, name := 0, fmt.Sprintf("bulk logout, %d sessions × 4", n)
		switch scenario {
		case "killed 3 times":
			kills = 3
		case "one host hangs":
			release := make(chan struct{})
			t.Cleanup(func() { close(release) })
			dune.setAnswer(func(_ string, _ http.ResponseWriter, r *http.Request) bool {
				select {
				case <-release:
				case <-r.Context().Done():
				}
				return true
			})
		}
		if scenario != "" {
			name += ", " + scenario
		}
		w.mustLaunch()
		got := w.mustLogOutAll(visitors, kills)
		row(
			t,
			name,
			"refused after %d ms (a change of one user: %d ms), answered after %d ms; three clients of each session notified after %.1f s; %d logout tokens, %d of them repeated; peak memory %d MB",
			got.cutoff.Milliseconds(),
			got.commit.Milliseconds(),
			got.answered.Milliseconds(),
			got.notified.Seconds(),
			got.tokens,
			got.duplicates,
			got.peakMB,
		)
		// The first commit is small: it takes as long as any other, at any number of sessions.
		if most := 200*time.Millisecond + 10*got.commit; got.cutoff > most {
			t.Errorf("got the sessions refused after %s, want %s at most", got.cutoff, most)
		}
		w.op.Kill()
		if scenario == "" {
			plain = got
		}
		// Two runs on a shared machine differ by more than the hung host costs: the limit is generous, the figures
		// stand in the rows.
		if scenario == "one host hangs" && got.notified > 2*plain.notified+5*time.Second {
			t.Errorf("got %s beside a hung host, %s without", got.notified, plain.notified)
		}
	}
}

// TestBulkLogoutOfManySessionsIsInForceAtOnce: a hundred thousand sessions of one client end by one request, which is
// in force as soon as a small one.
func TestBulkLogoutOfManySessionsIsInForceAtOnce(t *testing.T) {
	if !full() {
		t.Skip("a hundred thousand sessions are signed in by make faults only")
	}
	const n = 100_000
	w := mustStart(t, mustBuild(t, "-tags", "curfewfault"), nil)
	last := w.mustSignInMany(n)
	commit := w.mustMeasureCommit()
	start := time.Now()
	answered := make(chan error, 1)
	go func() {
		_, err := w.admin(http.MethodPost, bulkLogoutPath, allUsers)
		answered <- err
	}()
	for last.introspect(clients[0]) != refused {
		if time.Since(start) > time.Minute {
			t.Fatal("got an active access token a minute after the bulk logout")
		}
	}
	cutoff := time.Since(start)
	if err := <-answered; err != nil {
		t.Fatal(err)
	}
	done := time.Since(start)
	for len(w.parties.bySID()) < n {
		if time.Since(start) > 10*time.Minute {
			t.Fatalf("got %d of %d client sessions notified in ten minutes", len(w.parties.bySID()), n)
		}
		time.Sleep(200 * time.Millisecond)
	}
	notified := time.Since(start)
	if most := 200*time.Millisecond + 10*commit; cutoff > most {
		t.Errorf("got the sessions refused after %s, want %s at most", cutoff, most)
	}
	_, peak := w.memory()
	row(
		t,
		"bulk logout, 100,000 sessions × 1",
		"refused after %d ms (a change of one user: %d ms), answered after %d ms; all notified after %.1f s; peak memory %d MB",
		cutoff.Milliseconds(),
		commit.Milliseconds(),
		done.Milliseconds(),
		notified.Seconds(),
		peak,
	)
}

// mustSignInMany signs users in that many times at the first client and returns the last visitor. It keeps no history.
func (w *world) mustSignInMany(n int) (last *visitor) {
	w.t.Helper()
	var next atomic.Int64
	var all sync.WaitGroup
	var mu sync.Mutex
	for _, user := range w.users {
		all.Go(func() {
			for next.Add(1) <= int64(n) && !w.t.Failed() {
				v := w.newVisitor()
				if v.signIn(user) != accepted || v.tokens[clients[0]] == nil {
					w.t.Error("a user could not sign in")
					return
				}
				mu.Lock()
				last = v
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if w.t.Failed() {
		w.t.FailNow()
	}
	return last
}

// mustCopy copies a file.
func mustCopy(t testing.TB, from, to string) {
	t.Helper()
	source, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	target, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(target, source)
	if err := errors.Join(err, target.Close()); err != nil {
		t.Fatal(err)
	}
}
