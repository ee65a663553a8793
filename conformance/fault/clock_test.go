package fault

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// clockOf lets the server read its clock from a file, and returns what sets it: the difference to the machine's
// clock, which is never set.
func clockOf(w *world) (set func(time.Duration)) {
	file := filepath.Join(w.folder, "clock")
	set = func(step time.Duration) {
		// The file is replaced, so that the server never reads half of it.
		if err := os.WriteFile(file+".new", []byte(step.String()), 0o600); err != nil {
			w.t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			w.t.Fatal(err)
		}
	}
	set(0)
	w.op.Env = append(w.op.Env, "CURFEW_FAULT_CLOCK="+file)
	return set
}

// randomStep is a clock step between one second and ten days, forwards or back; small ones are as frequent as large
// ones.
func randomStep() time.Duration {
	steps := []time.Duration{
		time.Second,
		10 * time.Second,
		59 * time.Second,
		61 * time.Second,
		10 * time.Minute,
		3 * time.Hour,
		240 * time.Hour,
	}
	step := steps[rand.IntN(len(steps))]
	if rand.IntN(2) == 0 {
		return -step
	}
	return step
}

// notificationLimit is how late a logout token may be after clock steps: the dispatcher looks for due times that cannot
// be every 20 s, and this machine may be busy.
const notificationLimit = 45 * time.Second

// TestNoSessionSurvivesItsEndWhenTheClockIsSet: between any two operations the server's clock is set forwards or
// back. What was ended stays ended, whatever the clock said when it began. No logout token waits until a clock that was
// ahead comes true: the server notices due times that cannot be within notificationLimit.
func TestNoSessionSurvivesItsEndWhenTheClockIsSet(t *testing.T) {
	beside(t)
	var sessions, acknowledged, sent, late int
	var total checkResult
	n := rounds(2, 10)
	for range n {
		w := mustPrepare(t, mustBuild(t, "-tags", "curfewfault"), nil)
		set := clockOf(w)
		w.mustLaunch()
		w.mustPopulate()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		stepping := make(chan struct{})
		go func() {
			defer close(stepping)
			for ctx.Err() == nil {
				set(randomStep())
				time.Sleep(time.Duration(rand.IntN(200)) * time.Millisecond)
			}
		}()
		c := w.drive(ctx, 4)
		cancel()
		<-stepping
		// All sessions of each user end, at a clock that was set once more.
		set(-time.Duration(rand.IntN(120)) * time.Second)
		w.endAll(c)
		set(0)
		c.look()
		for _, later := range []time.Duration{10 * time.Second, -time.Hour} {
			set(later)
			c.look()
		}
		got := w.history.check()
		total.revived = append(total.revived, got.revived...)
		total.doubled = append(total.doubled, got.doubled...)
		set(0)
		tokens, _, missing := w.notifyAll([]*crowd{c}, notificationLimit)
		sent, late = sent+tokens, late+len(missing)
		sessions, acknowledged = sessions+w.history.signedIn(), acknowledged+w.history.acknowledged()
		w.op.Stop()
	}
	if len(total.revived)+len(total.doubled) > 0 {
		t.Errorf("got %s", total.examples())
	}
	if late > 0 {
		t.Errorf("%d clients got no logout token within %s", late, notificationLimit)
	}
	// A session that a step forwards has expired is refused rightly: lost is not counted here.
	row(
		t,
		"clock steps of 1 s to 10 d under load",
		"%d rounds; %d sessions, %d requests acknowledged; survivors of an end %d, codes redeemed twice %d; %d logout tokens within %s, %d later",
		n,
		sessions,
		acknowledged,
		len(total.revived),
		len(total.doubled),
		sent,
		notificationLimit,
		late,
	)
}
