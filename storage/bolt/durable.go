package bolt

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// durable.go reads, and keeps every answer on durable ground. bbolt shows a commit to readers before the commit is synced.
// A reader that saw one therefore waits until it is synced; while no commit is under way, that costs one comparison.

// flight is a commit between the write of its pages and the end of its sync.
type flight struct {
	tx      uint64        // the transaction's number
	settled chan struct{} // closed when the commit is on disk or has failed
	err     error         // why it failed; final when settled is closed
}

// view runs fn in a read transaction and returns when all that fn could see is on disk.
func (s *Store) view(ctx context.Context, fn func(*tx) error) error {
	return s.readTx(ctx, fn, always)
}

// lookUp is view for functions that look up one record: only an error, which says that something is not there any more,
// waits for the disk. A record that is found is returned at once.
func (s *Store) lookUp(ctx context.Context, fn func(*tx) error) error {
	return s.readTx(ctx, fn, onError)
}

func always(error) bool      { return true }
func onError(err error) bool { return err != nil }

// read is view for functions with a result.
func read[T any](ctx context.Context, s *Store, fn func(*tx) (T, error)) (T, error) {
	return readIf(ctx, s, fn, always)
}

// find is lookUp for functions with a result.
func find[T any](ctx context.Context, s *Store, fn func(*tx) (T, error)) (T, error) {
	return readIf(ctx, s, fn, onError)
}

// readIf is readTx for functions with a result.
func readIf[T any](ctx context.Context, s *Store, fn func(*tx) (T, error), mustWait func(error) bool) (v T, err error) {
	err = s.readTx(ctx, func(t *tx) (err error) {
		v, err = fn(t)
		return err
	}, mustWait)
	if err != nil {
		var zero T
		return zero, err
	}
	return v, nil
}

// readTx runs fn in a read transaction, and where mustWait says so for fn's error, waits until all that fn could see is on
// disk. The cache is taken first, so that it is never newer than the file: the last page of a bulk logout must not lift
// the cutoff from a session that the transaction still shows.
func (s *Store) readTx(ctx context.Context, fn func(*tx) error, mustWait func(error) bool) (err error) {
	if err := ctx.Err(); err != nil {
		return unavailable(err)
	}
	t := &tx{cache: s.cache.Load()}
	if t.Tx, err = s.db.Load().Begin(false); err != nil {
		return s.beginError(err)
	}
	before := debug.SetPanicOnFault(true) // a damaged page may point beyond the file
	defer debug.SetPanicOnFault(before)
	defer func() {
		if p := recover(); p != nil {
			err = panicError(p)
		}
		_ = t.Rollback() // cannot fail in a read transaction
	}()
	err = fn(t)
	if t.err != nil {
		err = t.err
	}
	if mustWait(err) {
		if waitErr := s.awaitDurable(ctx, t.Tx); waitErr != nil {
			return waitErr
		}
	}
	return err
}

// awaitDurable waits until the commit that b shows is on disk. b must still be open: then the file cannot be opened again
// meanwhile, and the commit that b shows is either durable or the one in flight.
func (s *Store) awaitDurable(ctx context.Context, b *bbolt.Tx) error {
	shown := uint64(b.ID())
	if shown <= s.durable.Load() {
		return nil
	}
	f := s.flight.Load()
	if f == nil || f.tx != shown {
		if shown <= s.durable.Load() { // the next commit began in between
			return nil
		}
		return fmt.Errorf("read: %w", unavailable(errors.New("the file shows a commit that this process did not make")))
	}
	timer := time.NewTimer(answerTimeout)
	defer timer.Stop()
	select {
	case <-f.settled:
		return f.err
	case <-ctx.Done():
		return unavailable(ctx.Err())
	case <-timer.C:
		return unavailable(errSlowRead)
	}
}

var errSlowRead = fmt.Errorf("the disk did not finish a write within %v, and the answer depends on it", answerTimeout)

// beginError says why no transaction could begin.
func (s *Store) beginError(err error) error {
	if h := s.halt.Load(); h != nil && errors.Is(err, bolterrors.ErrDatabaseNotOpen) {
		return h.error()
	}
	return unavailable(err)
}
