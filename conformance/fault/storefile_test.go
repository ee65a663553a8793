package fault

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestRemovedStoreFileTakesNoWrites: the store's file is moved away under load, and put back. What is acknowledged
// meanwhile would be lost with the process, so nothing is. The log says what to do.
func TestRemovedStoreFileTakesNoWrites(t *testing.T) {
	beside(t)
	w := mustStart(t, mustBuild(t), nil)
	store := filepath.Join(w.dataFolder(), "curfew.db")
	move := func(from, to string) {
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	var crowds []*crowd
	var recovery []time.Duration
	n := rounds(1, 10)
	for range n {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan *crowd)
		go func() { done <- w.drive(ctx, 6) }()
		w.history.awaitAcknowledged(20 + rand.IntN(50))
		move(store, store+".aside")
		time.Sleep(time.Second)
		if got := w.newVisitor().signIn(w.users[0]); got == accepted {
			t.Error("a sign-in was acknowledged while the store's file was away")
		}
		move(store+".aside", store)
		recovery = append(recovery, w.mustRecover(5*time.Second))
		cancel()
		crowds = append(crowds, <-done)
		w.op.Kill()
		w.mustLaunch()
		crowds[len(crowds)-1].look()
	}
	got := w.history.check()
	if !got.ok() {
		t.Errorf("got %v: %s", got, got.examples())
	}
	if log := w.op.Log.String(); !strings.Contains(log, "was removed or replaced while it was in use; to keep its content") {
		t.Errorf("the log does not say what to do about the removed file:\n%s", tail(log, 3000))
	}
	w.mustNotifyAll(crowds)
	slices.Sort(recovery)
	row(
		t,
		"the store's file is moved away under load",
		"%d rounds; %d sessions, %d requests acknowledged, %d left open; %v; works again after %d ms (median), %d ms (longest)",
		n,
		w.history.signedIn(),
		w.history.acknowledged(),
		w.history.unanswered(),
		got,
		recovery[len(recovery)/2].Milliseconds(),
		recovery[len(recovery)-1].Milliseconds(),
	)
}
