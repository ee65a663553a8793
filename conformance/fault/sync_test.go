//go:build linux

package fault

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/curfew-id/curfew/conformance/need"
)

// TestFailedSyncIsNeverAcknowledged: fdatasync returns EIO for some commits. What was acknowledged stands after the
// fault and after a restart.
func TestFailedSyncIsNeverAcknowledged(t *testing.T) {
	beside(t)
	failSyncs(
		t,
		"failing sync (EIO) under load",
		func() string { return fmt.Sprintf("error=EIO:when=%d+%d", 1+rand.IntN(3), 2+rand.IntN(4)) },
		2,
		20,
	)
}

// TestSlowSyncIsNeverAcknowledgedEarly: fdatasync takes seconds. Nothing is acknowledged that is not on the disk, and
// no answer takes longer than a request may, however many writes it makes.
func TestSlowSyncIsNeverAcknowledgedEarly(t *testing.T) {
	beside(t)
	failSyncs(t, "slow sync (+1.5 s) under load", func() string { return "delay_exit=1500000" }, 1, 20)
}

func failSyncs(t *testing.T, name string, fault func() string, short, long int) {
	need.Program(t, "strace")
	w := mustStart(t, mustBuild(t), nil)
	var crowds []*crowd
	var recovery []time.Duration
	n := rounds(short, long)
	for range n {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan *crowd)
		go func() { done <- w.drive(ctx, 6) }()
		w.history.awaitAcknowledged(10 + rand.IntN(50))
		w.mustInject(fault(), 2*time.Second)
		recovery = append(recovery, w.mustRecover(20*time.Second))
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
	longest := w.history.longest()
	if longest > 5*time.Second+slack {
		t.Errorf("got an answer after %s, want 5 s at most", longest)
	}
	if w.history.unanswered() == 0 && longest < time.Second {
		t.Error("got a quick answer to every request: the fault was not felt, and the test proves nothing")
	}
	w.mustNotifyAll(crowds)
	slices.Sort(recovery)
	row(
		t,
		name,
		"%d rounds; %d sessions, %d requests acknowledged, %d left open; %v; longest answer %.1f s; works again after %d ms (median), %d ms (longest)",
		n,
		w.history.signedIn(),
		w.history.acknowledged(),
		w.history.unanswered(),
		got,
		longest.Seconds(),
		recovery[len(recovery)/2].Milliseconds(),
		recovery[len(recovery)-1].Milliseconds(),
	)
}
