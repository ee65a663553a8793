package bolt

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/curfew-id/curfew/storage"
)

// durable.go runs read transactions, and returns only results that a crash cannot undo. bbolt shows a commit to readers
// before it is synced to disk. A reader that saw such a commit waits for the sync. Other readers do not wait.

// flight is a commit in progress: bbolt writes its pages and syncs them.
type flight struct {
	tx      uint64        // ID of the bbolt transaction
	settled chan struct{} // closed when the commit is on disk or has failed
	err     error         // the reason of a failure; final when settled is closed
}

// view runs fn in a read transaction. It returns once every commit that fn could see is on disk.
func (s *Store) view(ctx context.Context, fn func(*tx) error) error {
	return s.readTx(ctx, fn, always)
}

// lookUp runs fn, which looks up one record, in a read transaction. If fn finds the record, lookUp returns at once.
// If fn returns an error, a commit may just have removed the record: lookUp then waits as view does.
func (s *Store) lookUp(ctx context.Context, fn func(*tx) error) error {
	return s.readTx(ctx, fn, onError)
}

func always(error) bool      { return true }
func onError(err error) bool { return err != nil }

// read does what view does, and returns the result of fn.
func read[T any](ctx context.Context, s *Store, fn func(*tx) (T, error)) (T, error) {
	return readIf(ctx, s, fn, always)
}

// find does what lookUp does, and returns the result of fn.
func find[T any](ctx context.Context, s *Store, fn func(*tx) (T, error)) (T, error) {
	return readIf(ctx, s, fn, onError)
}

// readIf does what readTx does, and returns the result of fn.
func readIf[T any](ctx context.Context, s *Store, fn func(*tx) (T, error), mustWait func(error) bool) (T, error) {
	var result T
	keepResult := func(t *tx) error {
		v, err := fn(t)
		result = v
		return err
	}
	if err := s.readTx(ctx, keepResult, mustWait); err != nil {
		var zero T
		return zero, err
	}
	return result, nil
}

// readTx runs fn in a read transaction. If mustWait returns true for fn's error (which may be nil), readTx waits until
// every commit that fn could see is on disk.
//
// readTx loads the cache before it begins the transaction, so that the cache is never newer than the file. A newer
// cache could lack the cutoff of a bulk logout that has just finished, while the transaction still shows a session
// that it ended.
func (s *Store) readTx(ctx context.Context, fn func(*tx) error, mustWait func(error) bool) (err error) {
	if err := ctx.Err(); err != nil {
		return unavailable(err)
	}
	t := &tx{cache: s.cache.Load(), decoded: &s.decoded}
	if t.Tx, err = s.db.Load().Begin(false); err != nil {
		return s.beginError(err)
	}
	previousSetting := debug.SetPanicOnFault(true) // a damaged page may point beyond the file
	defer debug.SetPanicOnFault(previousSetting)
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

// awaitDurable waits until the newest commit that the read transaction sees is on disk. That commit is either durable
// or the one in flight. The transaction must be open, since the store cannot close and reopen the file before it
// ends.
func (s *Store) awaitDurable(ctx context.Context, readTx *bbolt.Tx) error {
	newestSeen := uint64(readTx.ID())
	if newestSeen <= s.durable.Load() {
		return nil
	}
	f := s.flight.Load()
	if f == nil || f.tx != newestSeen {
		// Another commit may have begun between the two loads. Then the one that the reader saw is durable by now.
		if newestSeen <= s.durable.Load() {
			return nil
		}
		return fmt.Errorf("read: %w", unavailable(errors.New("the file shows a commit that this process did not make")))
	}
	select {
	case <-f.settled:
		return f.err
	default:
	}
	mayWait, endWait := storage.BeginWait(ctx, answerTimeout)
	defer endWait()
	timer := time.NewTimer(mayWait)
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

var errSlowRead = fmt.Errorf(
	"the disk did not finish a write in the %v that a request waits, and the answer depends on it",
	answerTimeout,
)

// beginError returns the error for a transaction that could not begin. If the store is halted, the halt is the reason.
func (s *Store) beginError(err error) error {
	if h := s.halt.Load(); h != nil && errors.Is(err, bolterrors.ErrDatabaseNotOpen) {
		return h.error()
	}
	return unavailable(err)
}
