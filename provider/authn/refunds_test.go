package authn

import (
	"context"
	"fmt"
	"testing"

	"github.com/curfew-id/curfew/storage"
)

// failingRefunds is a store whose disk fails between an attempt and its refund.
type failingRefunds struct {
	storage.Attempts
	err error
}

func (s *failingRefunds) CountAttempt(
	ctx context.Context,
	keys []storage.Hash,
	update func([]storage.Counter) error,
) error {
	if s.err != nil {
		return s.err
	}
	return s.Attempts.CountAttempt(ctx, keys, update)
}

// TestFailingDiskLocksNoUserOut: an attempt that was right, or was not checked, does not stay counted because the store
// could not write that.
func TestFailingDiskLocksNoUserOut(t *testing.T) {
	for _, failure := range []error{storage.ErrUnavailable, storage.ErrFull} {
		for name, refund := range map[string]func(l Limiter, origin Origin) error{
			"right":       func(l Limiter, origin Origin) error { return l.RecordSuccess(t.Context(), "anna", origin) },
			"not checked": func(l Limiter, origin Origin) error { return l.Refund(t.Context(), "anna", origin) },
		} {
			t.Run(fmt.Sprint(name, ", ", failure), func(t *testing.T) {
				store := &failingRefunds{Attempts: mustLimiter(t).Store}
				l := Limiter{Store: store, Refunds: &Refunds{}}
				origin := originOf("192.0.2.1", false)
				for i := range 2 * freePerAddress {
					if err := l.Allow(t.Context(), start, "anna", origin); err != nil {
						t.Fatalf("attempt %d: %v", i, err)
					}
					store.err = failure
					if err := refund(l, origin); err == nil {
						t.Fatal("got no error from the store")
					}
					store.err = nil
				}
				if len(l.Refunds.owed) != 2 {
					t.Errorf("got %d refunds kept, want the last attempt's 2", len(l.Refunds.owed))
				}
				if got := countAllowed(t, l, start, "anna", "192.0.2.1", false, 20); got != freePerAccount {
					t.Errorf("got %d attempts that fail, want %d", got, freePerAccount)
				}
			})
		}
	}
}

// TestRefundsAreBounded: a disk that fails for long does not fill the memory.
func TestRefundsAreBounded(t *testing.T) {
	l := Limiter{Store: &failingRefunds{err: storage.ErrFull}, Refunds: &Refunds{}}
	for i := range maxRefunds {
		_ = l.Refund(t.Context(), fmt.Sprint("user ", i), originOf(fmt.Sprintf("192.0.%d.%d", i/256, i%256), false))
	}
	if got := len(l.Refunds.owed); got != maxRefunds {
		t.Errorf("got %d refunds kept, want %d", got, maxRefunds)
	}
}
