package fault

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// killpoints are the moments at which a build for fault tests kills itself (CURFEW_FAULT_KILL), each with what leads
// there. The load alone leads to the points of the dispatcher.
var killpoints = []struct {
	name    string
	provoke func(w *world, step func(time.Duration))
}{
	{"after ClaimDeliveries", nil},
	{"before RecordOutcomes", nil},
	{"after RecordOutcomes", nil},
	{"after a page of EndSessions", func(w *world, _ func(time.Duration)) {
		_, _ = w.admin(http.MethodPost, bulkLogoutPath, allUsers) // it has no answer
	}},
	{"before PutKeys", rotateKeys},
	{"after PutKeys", rotateKeys},
	{"after Sweep", func(_ *world, step func(time.Duration)) {
		step(2 * time.Minute) // used codes have expired; sessions have not
	}},
}

// rotateKeys lets new keys sign at once.
func rotateKeys(w *world, _ func(time.Duration)) {
	_, _ = w.admin(http.MethodPost, "/keys/rotate", map[string]any{"at_once": true}) // it has no answer
}

// TestKillAtNamedPointsLosesNothing: the process is killed under load exactly between two steps of the dispatcher,
// between two pages of a bulk logout, in a key rotation and in the sweeper, and is started again.
func TestKillAtNamedPointsLosesNothing(t *testing.T) {
	beside(t)
	w := mustPrepare(t, mustBuild(t, "-tags", "curfewfault"), nil)
	step := clockOf(w)
	kill := filepath.Join(w.folder, "kill")
	w.op.Env = append(w.op.Env, "CURFEW_FAULT_KILL="+kill)
	w.mustLaunch()
	w.mustPopulate()
	var crowds []*crowd
	var ready []time.Duration
	var passed time.Duration
	n := rounds(1, 4)
	for range n {
		for _, point := range killpoints {
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan *crowd)
			go func() { done <- w.drive(ctx, 6) }()
			w.history.awaitAcknowledged(40)
			if point.name == "after a page of EndSessions" {
				cancel() // the crowd is known: all of its sessions end
				crowds = append(crowds, <-done)
				w.history.recordAll(sessionsOf(crowds), "the bulk logout", func() result { return unknown })
			}
			if err := os.WriteFile(kill, []byte(point.name), 0o600); err != nil {
				t.Fatal(err)
			}
			if point.provoke != nil {
				point.provoke(w, func(d time.Duration) { passed += d; step(passed) })
			}
			w.mustDie(point.name, point.name == "after Sweep")
			if err := os.Remove(kill); err != nil {
				t.Fatal(err)
			}
			cancel()
			if point.name != "after a page of EndSessions" {
				crowds = append(crowds, <-done)
			}
			ready = append(ready, w.mustLaunch())
			crowds[len(crowds)-1].look()
		}
		w.mustSignWithListedKeys()
	}
	got := w.history.check()
	if !got.ok() {
		t.Errorf("got %v: %s", got, got.examples())
	}
	sent, duplicates := w.mustNotifyAll(crowds)
	slices.Sort(ready)
	row(
		t,
		"`kill -9` at named points",
		"%d points × %d; %d sessions, %d requests acknowledged; %v; %d logout tokens, %d duplicates; ready after %d ms (median), %d ms (longest)",
		len(killpoints),
		n,
		w.history.signedIn(),
		w.history.acknowledged(),
		got,
		sent,
		duplicates,
		ready[len(ready)/2].Milliseconds(),
		ready[len(ready)-1].Milliseconds(),
	)
}

// sessionsOf returns the sessions of all crowds.
func sessionsOf(crowds []*crowd) (sessions []int) {
	for _, c := range crowds {
		for _, v := range c.visitors {
			sessions = append(sessions, v.session)
		}
	}
	return sessions
}

// mustDie waits until the process has killed itself. restart: the point is reached soon after a start.
func (w *world) mustDie(point string, restart bool) {
	w.t.Helper()
	if restart {
		w.op.Kill()
		if err := w.op.Launch(); err != nil {
			w.t.Fatal(err)
		}
	}
	for deadline := time.Now().Add(30 * time.Second); w.op.Running(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("the server has not reached %q after 30 s", point)
		}
	}
}

// mustSignWithListedKeys signs a user in and looks for the key of the ID token in the published ones: a rotation that
// was cut off leaves no key in use that relying parties cannot find.
func (w *world) mustSignWithListedKeys() {
	w.t.Helper()
	v := w.newVisitor()
	if v.signIn(w.users[0]) != accepted {
		w.t.Fatal("no user can sign in after the rotations")
	}
	response, err := w.http().Get(w.op.Issuer + "/jwks")
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	var set struct {
		Keys []struct {
			KID string `json:"kid"`
		} `json:"keys"`
	}
	if err := json.NewDecoder(response.Body).Decode(&set); err != nil {
		w.t.Fatal(err)
	}
	kid := headerOf(v.tokens[clients[0]].id).KID
	for _, key := range set.Keys {
		if key.KID == kid {
			return
		}
	}
	w.t.Errorf("the ID token's key %q is not published", kid)
}
