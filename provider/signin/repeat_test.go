package signin

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// TestRequestsThatWaitedForAFailedOneStartOneSession: a failed start, for example because the store was unavailable,
// does not let all requests that waited for it start a session of their own.
func TestRequestsThatWaitedForAFailedOneStartOneSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var forms startedSessions
		var mu sync.Mutex
		starts, sessions := 0, 0
		start := func() (startedSession, error) {
			mu.Lock()
			starts++
			number := starts
			mu.Unlock()
			time.Sleep(100 * time.Millisecond)
			if number == 1 {
				return startedSession{}, storage.ErrUnavailable
			}
			mu.Lock()
			sessions++
			mu.Unlock()
			return startedSession{secret: fmt.Sprint(number)}, nil
		}
		secrets := make([]string, 5)
		var requests sync.WaitGroup
		for i := range secrets {
			requests.Go(func() {
				started, _, err := forms.do(t.Context(), "form", time.Now(), start)
				if err != nil && !errors.Is(err, storage.ErrUnavailable) {
					t.Error(err)
				}
				secrets[i] = started.secret
			})
		}
		requests.Wait()
		got := map[string]int{}
		for _, secret := range secrets {
			got[secret]++
		}
		if starts != 2 || sessions != 1 || got[""] != 1 || got["2"] != 4 {
			t.Errorf("got %d starts, %d sessions, secrets %v, want one error and one session for the others",
				starts, sessions, got)
		}
	})
}

// TestRequestThatWaitsForAnotherEndsWithItsContext: a browser that has gone does not wait for its turn.
func TestRequestThatWaitsForAnotherEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var forms startedSessions
		slow := func() (startedSession, error) { time.Sleep(time.Minute); return startedSession{}, nil }
		var first sync.WaitGroup
		first.Go(func() { _, _, _ = forms.do(t.Context(), "form", time.Now(), slow) })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err := forms.do(ctx, "form", time.Now(), slow); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the end of the context", err)
		}
		first.Wait()
	})
}
