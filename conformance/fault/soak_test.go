package fault

import (
	"context"
	"os"
	"testing"
	"time"
)

// TestLongLoadLeaksNothing: after mixed load, memory and files are where they were in its first third.
func TestLongLoadLeaksNothing(t *testing.T) {
	length := 10 * time.Second
	if full() {
		length = 3 * time.Minute
	}
	if text := os.Getenv("CURFEW_SOAK"); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	w := mustStart(t, mustBuild(t, "-tags", "curfewfault"), nil)
	load := func(d time.Duration) (crowds []*crowd) {
		for range 6 { // in parts, so that the visitors of the test do not pile up
			ctx, cancel := context.WithTimeout(t.Context(), d/6)
			c := w.drive(ctx, 6)
			cancel()
			w.logOut(c)
			crowds = append(crowds, c)
		}
		return crowds
	}
	crowds := load(length / 3)
	memory, _ := w.memory()
	files := w.files()
	goroutines := w.metric("go_goroutines")
	crowds = append(crowds, load(2*length/3)...)
	w.mustNotifyAll(crowds)
	memoryNow, peak := w.memory()
	filesNow := w.files()
	goroutinesNow := w.metric("go_goroutines")
	got := w.history.check()
	if !got.ok() {
		t.Errorf("got %v: %s", got, got.examples())
	}
	if filesNow > files+20 || goroutinesNow > goroutines+50 || memoryNow > memory+memory/2+50 {
		t.Errorf(
			"got %d MB, %d files and %.0f goroutines, after the first third %d MB, %d files and %.0f goroutines",
			memoryNow,
			filesNow,
			goroutinesNow,
			memory,
			files,
			goroutines,
		)
	}
	row(
		t,
		"mixed load for "+length.String(),
		"%d sessions, %d requests acknowledged; %v; memory without the store's file %d MB after the first third, %d MB at the end (%d MB at most with it); open files %d and %d; goroutines %.0f and %.0f",
		w.history.signedIn(),
		w.history.acknowledged(),
		got,
		memory,
		memoryNow,
		peak,
		files,
		filesNow,
		goroutines,
		goroutinesNow,
	)
}

// logOut ends the sessions of all visitors that have one.
func (w *world) logOut(c *crowd) {
	c.each(func(v *visitor) {
		if !v.over {
			v.signOut()
		}
	})
}
