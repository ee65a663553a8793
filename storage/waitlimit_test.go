package storage

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestWaitsOfOneRequestAreLimitedInTotal: waits add up, waits at the same time count once, and the time between waits
// does not count.
func TestWaitsOfOneRequestAreLimitedInTotal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := WithWaitLimit(context.Background(), 10*time.Second)
		begin := func(longest, want time.Duration) (end func()) {
			t.Helper()
			most, end := BeginWait(ctx, longest)
			if most != want {
				t.Errorf("got %v, want %v", most, want)
			}
			return end
		}
		first := begin(time.Minute, 10*time.Second)
		time.Sleep(2 * time.Second)
		second := begin(time.Minute, 8*time.Second)
		time.Sleep(time.Second)
		first()
		time.Sleep(time.Second)
		second()
		time.Sleep(time.Hour)
		third := begin(time.Second, time.Second)
		third()
		fourth := begin(time.Minute, 6*time.Second)
		time.Sleep(7 * time.Second)
		fourth()
		begin(time.Minute, 0)()
	})
}
