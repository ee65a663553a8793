//go:build linux

package fault

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// powerCuts is what a number of power cuts came to.
type powerCuts struct {
	acknowledged, sessions int
	history                checkResult // what the check of the history found
	unusable               int         // the server did not start again
	ready                  []time.Duration
}

// cutPowerUnderLoad serves from a disk, cuts its power at a random moment under load, starts again, and asks for
// every session. The history goes over all rounds: what was acknowledged in one counts in all later ones.
func cutPowerUnderLoad(t *testing.T, program, fileSystem string, rounds int, notify bool) (result powerCuts) {
	t.Helper()
	d := mustMakeDisk(t, fileSystem, 320) // xfs needs 300 MB
	w := mustStart(t, program, map[string]any{"data": filepath.Join(d.mount, "data")})
	var crowds []*crowd
	for range rounds {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan *crowd)
		go func() { done <- w.drive(ctx, 6) }()
		w.history.awaitAcknowledged(50 + rand.IntN(100))
		d.cutPower()
		w.op.Kill()
		cancel()
		crowds = append(crowds, <-done)
		d.mustRemount()
		ready, started := w.tryLaunch()
		if !started {
			result.unusable++
			return result
		}
		result.ready = append(result.ready, ready)
		crowds[len(crowds)-1].look()
		if result.history = w.history.check(); !result.history.ok() {
			break
		}
	}
	result.acknowledged = w.history.acknowledged()
	result.sessions = w.history.signedIn()
	if result.history.ok() && notify {
		w.mustNotifyAll(crowds)
	}
	return result
}

// TestPowerCutLosesNothingAcknowledged: the file system is shut down under load, so that all that was not synced is
// gone.
func TestPowerCutLosesNothingAcknowledged(t *testing.T) {
	beside(t)
	for _, fileSystem := range []string{"ext4", "xfs"} {
		t.Run(fileSystem, func(t *testing.T) {
			if fileSystem == "xfs" && !full() {
				t.Skip("xfs is tried by make faults only")
			}
			n := rounds(4, 30)
			got := cutPowerUnderLoad(t, mustBuild(t), fileSystem, n, true)
			if !got.history.ok() || got.unusable > 0 {
				t.Errorf("got %v, unusable %d: %s", got.history, got.unusable, got.history.examples())
			}
			slices.Sort(got.ready)
			row(
				t,
				"power cut under load, "+fileSystem,
				"%d rounds; %d sessions, %d requests acknowledged; %v; ready after %d ms (median), %d ms (longest)",
				n,
				got.sessions,
				got.acknowledged,
				got.history,
				got.ready[len(got.ready)/2].Milliseconds(),
				got.ready[len(got.ready)-1].Milliseconds(),
			)
		})
	}
}

// TestPowerCutIsSeenWithoutSyncing: a build that does not sync must fail, or the test above proves nothing.
func TestPowerCutIsSeenWithoutSyncing(t *testing.T) {
	beside(t)
	const most = 6
	program := mustBuildWithoutSyncing(t)
	for n := range most {
		got := cutPowerUnderLoad(t, program, "ext4", 1, false)
		if !got.history.ok() || got.unusable > 0 {
			row(
				t,
				"power cut, a build that does not sync",
				"seen in round %d: %v, store unusable %d",
				n+1,
				got.history,
				got.unusable,
			)
			return
		}
	}
	t.Errorf("got no loss in %d power cuts of a build that does not sync", most)
}
