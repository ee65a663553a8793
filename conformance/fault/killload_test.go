package fault

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// TestKillUnderLoadLosesNothingAcknowledged: the process is killed at random moments, or asked to stop, while clients
// use it.
func TestKillUnderLoadLosesNothingAcknowledged(t *testing.T) {
	beside(t)
	t.Run("kill -9", func(t *testing.T) {
		killUnderLoad(t, "`kill -9`", rounds(4, 40), func(w *world) { w.op.Kill() })
	})
	t.Run("SIGTERM", func(t *testing.T) {
		killUnderLoad(t, "SIGTERM", rounds(2, 20), func(w *world) { w.op.Stop() })
	})
}

func killUnderLoad(t *testing.T, name string, n int, stop func(*world)) {
	w := mustStart(t, mustBuild(t), nil)
	var crowds []*crowd
	var ready, stopping []time.Duration
	for range n {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan *crowd)
		go func() { done <- w.drive(ctx, 6) }()
		w.history.awaitAcknowledged(20 + rand.IntN(100))
		begin := time.Now()
		stop(w)
		stopping = append(stopping, time.Since(begin))
		cancel()
		crowds = append(crowds, <-done)
		ready = append(ready, w.mustLaunch())
		crowds[len(crowds)-1].look()
	}
	got := w.history.check()
	if !got.ok() {
		t.Errorf("got %v: %s", got, got.examples())
	}
	sent, duplicates := w.mustNotifyAll(crowds)
	slices.Sort(ready)
	slices.Sort(stopping)
	if longest := stopping[len(stopping)-1]; longest > 15*time.Second {
		t.Errorf("got %s until the process had stopped, want 15 s at most", longest)
	}
	row(
		t,
		name+" under load",
		"%d rounds; %d sessions, %d requests acknowledged; %v; %d logout tokens, %d duplicates; ready after %d ms (median), %d ms (longest)",
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
