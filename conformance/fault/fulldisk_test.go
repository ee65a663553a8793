//go:build linux

package fault

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"
)

// TestFullDiskIsRefusedAndRecovered: while the disk is full, nothing is acknowledged that is not done; when there is
// room again, the server works on without a restart.
func TestFullDiskIsRefusedAndRecovered(t *testing.T) {
	beside(t)
	d := mustMakeDisk(t, "ext4", 48)
	w := mustStart(t, mustBuild(t), map[string]any{"data": filepath.Join(d.mount, "data")})
	var crowds []*crowd
	var recovery []time.Duration
	n := rounds(3, 20)
	for range n {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan *crowd)
		go func() { done <- w.drive(ctx, 6) }()
		w.history.awaitAcknowledged(10 + rand.IntN(50))
		d.mustFill()
		time.Sleep(1500 * time.Millisecond)
		d.mustMakeRoom()
		recovery = append(recovery, w.mustRecover(5*time.Second))
		cancel()
		crowds = append(crowds, <-done)
		crowds[len(crowds)-1].look()
	}
	w.op.Stop()
	w.mustLaunch()
	for _, c := range crowds {
		c.look()
	}
	got := w.history.check()
	if !got.ok() {
		t.Errorf("got %v: %s", got, got.examples())
	}
	if w.history.unanswered() == 0 {
		t.Error("got an answer to every request: the disk was not full, and the test proves nothing")
	}
	w.mustNotifyAll(crowds)
	slices.Sort(recovery)
	row(
		t,
		"full disk under load",
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

// mustFill writes until there is no room.
func (d *disk) mustFill() {
	d.t.Helper()
	file, err := os.OpenFile(filepath.Join(d.mount, "filler"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		d.t.Fatal(err)
	}
	defer file.Close()
	for size := 1 << 20; size > 0; {
		if _, err = file.Write(make([]byte, size)); errors.Is(err, syscall.ENOSPC) {
			size /= 16
		} else if err != nil && !errors.Is(err, io.ErrShortWrite) {
			d.t.Fatal(err)
		}
	}
}

func (d *disk) mustMakeRoom() {
	d.t.Helper()
	if err := os.Remove(filepath.Join(d.mount, "filler")); err != nil {
		d.t.Fatal(err)
	}
}

// mustRecover waits until a user can sign in again and returns how long it took.
func (w *world) mustRecover(most time.Duration) time.Duration {
	w.t.Helper()
	start := time.Now()
	for time.Since(start) < most {
		if w.newVisitor().signIn(w.users[0]) == accepted {
			return time.Since(start)
		}
		time.Sleep(20 * time.Millisecond)
	}
	w.t.Fatalf("no user can sign in %s after the fault\n%s", most, tail(w.op.Log.String(), 3000))
	return 0
}
