package bolt

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"syscall"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/curfew-id/curfew/storage"
)

const (
	queueLength = 1024 // callers that may wait; the others wait to get in
	batchLength = 256  // functions in one transaction
)

// The states of a job. A caller that gives up makes its job abandoned, but never while the function runs, since that
// may call back into the caller.
const (
	jobQueued int32 = iota
	jobRunning
	jobReturned
	jobAbandoned
)

// job is one function on its way through the committer.
type job struct {
	run      func(*tx) error
	state    atomic.Int32
	returned chan struct{} // closed when run has returned for the first time
	done     chan struct{} // closed when err is final
	err      error
}

// write runs fn in the next transaction and returns when that is on disk. An error from fn changes nothing, whatever
// fn had written. When ctx ends first, the outcome is unknown.
func write[T any](ctx context.Context, s *Store, fn func(*tx) (T, error)) (T, error) {
	var zero T
	result := new(T)
	err := s.submit(ctx, func(t *tx) error {
		v, err := fn(t)
		*result = v
		return err
	})
	if err != nil {
		return zero, err
	}
	return *result, nil
}

// update is write for functions without a result.
func (s *Store) update(ctx context.Context, fn func(*tx) error) error { return s.submit(ctx, fn) }

// submit queues fn and waits for its commit.
func (s *Store) submit(ctx context.Context, fn func(*tx) error) error {
	if err := ctx.Err(); err != nil {
		return unavailable(err)
	}
	j := &job{run: fn, returned: make(chan struct{}), done: make(chan struct{})}
	select {
	case s.queue <- j:
	case <-s.closing:
		return unavailable(errClosed)
	case <-ctx.Done():
		return unavailable(ctx.Err())
	}
	select {
	case <-j.done:
		return j.err
	case <-ctx.Done():
		return s.abandon(j, ctx.Err())
	case <-s.stopped:
	}
	select {
	case <-j.done: // it was in the last batch
		return j.err
	default:
		return unavailable(errClosed)
	}
}

// abandon gives j up: at once if it still waits or only its commit is outstanding, else when its function has returned.
func (s *Store) abandon(j *job, cause error) error {
	if j.state.CompareAndSwap(jobQueued, jobAbandoned) {
		return unavailable(cause)
	}
	<-j.returned
	for !j.state.CompareAndSwap(jobReturned, jobAbandoned) {
		select {
		case <-j.done:
			return j.err
		default:
			runtime.Gosched() // it runs once more, because another function of its batch had to be left out
		}
	}
	return unavailable(cause)
}

// commitLoop is the committer: it takes what waits, commits it together, and starts over until the store closes.
func (s *Store) commitLoop() {
	defer close(s.stopped)
	debug.SetPanicOnFault(true) // a damaged page may point beyond the file; flush and call contain the panic
	for {
		select {
		case j := <-s.queue:
			runtime.Gosched() // who is ready to write joins in; where nobody is, this takes no time
			s.commit(s.drain([]*job{j}))
		case <-s.closing:
			for batch := s.drain(nil); len(batch) > 0; batch = s.drain(nil) {
				s.commit(batch)
			}
			return
		}
	}
}

// drain adds to batch what waits in the queue now.
func (s *Store) drain(batch []*job) []*job {
	for len(batch) < batchLength {
		select {
		case j := <-s.queue:
			batch = append(batch, j)
		default:
			return batch
		}
	}
	return batch
}

// commit runs a batch in one transaction and answers all of it. bbolt has no savepoints: if a function fails after it
// has written, all is rolled back and the others run again without it.
func (s *Store) commit(batch []*job) {
	for {
		failed, err := s.tryBatch(batch)
		if failed < 0 {
			for _, j := range batch {
				if err != nil && j.err == nil {
					j.err = err
				}
				close(j.done)
			}
			return
		}
		close(batch[failed].done)
		batch = append(batch[:failed:failed], batch[failed+1:]...)
	}
}

// tryBatch runs a batch once. It returns the index of a function that must not be part of it, or -1 and the commit's error.
func (s *Store) tryBatch(batch []*job) (failed int, err error) {
	b, err := s.db.Begin(true)
	if err != nil {
		return -1, unavailable(err)
	}
	t := &tx{Tx: b, cache: s.cache.Load(), auditTail: s.auditTail}
	wrote := false
	for i, j := range batch {
		t.wrote = false
		if j.err = t.runJob(j); j.err != nil && t.wrote {
			return i, errors.Join(b.Rollback())
		}
		wrote = wrote || t.wrote
	}
	if !wrote {
		return -1, b.Rollback()
	}
	if err := flush(b); err != nil {
		err = commitError(err)
		s.outOfSpace.Store(errors.Is(err, storage.ErrFull))
		return -1, errors.Join(err, s.reload()) // what reached the disk is unknown now, so memory is read anew
	}
	s.commits.Add(1)
	s.cache.Store(t.cache)
	s.auditTail = t.auditTail
	return -1, nil
}

// runJob runs one function unless its caller has gone, and contains its panic.
func (t *tx) runJob(j *job) (err error) {
	if !j.state.CompareAndSwap(jobQueued, jobRunning) && !j.state.CompareAndSwap(jobReturned, jobRunning) {
		return unavailable(context.Canceled)
	}
	returned := j.returned
	defer func() {
		if p := recover(); p != nil {
			t.wrote = true // nobody knows
			err = fmt.Errorf("%w: panic in a transaction: %v", storage.ErrUnavailable, p)
		}
		j.state.Store(jobReturned)
		select {
		case <-returned:
		default:
			close(returned)
		}
	}()
	t.err = nil
	if err := j.run(t); err != nil {
		return err
	}
	return t.err
}

// flush commits b; a panic on the way, as a damaged page causes, is an error like any other.
func flush(b *bbolt.Tx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errors.Join(fmt.Errorf("panic: %v", p), b.Rollback())
		}
	}()
	return b.Commit()
}

// view runs fn in a read transaction. What is kept in memory is taken first, so that it is never newer than the file:
// the last page of a mass ending must not lift the fence over a session that the transaction still shows.
func (s *Store) view(ctx context.Context, fn func(*tx) error) (err error) {
	if err := ctx.Err(); err != nil {
		return unavailable(err)
	}
	t := &tx{cache: s.cache.Load()}
	if t.Tx, err = s.db.Begin(false); err != nil {
		return unavailable(err)
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true)) // a damaged page may point beyond the file
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: panic in a transaction: %v", storage.ErrUnavailable, p)
		}
		_ = t.Rollback() // of a read transaction: cannot fail
	}()
	err = fn(t)
	if t.err != nil {
		return t.err
	}
	return err
}

// read is view for functions with a result.
func read[T any](ctx context.Context, s *Store, fn func(*tx) (T, error)) (v T, err error) {
	err = s.view(ctx, func(t *tx) (err error) {
		v, err = fn(t)
		return err
	})
	if err != nil {
		var zero T
		return zero, err
	}
	return v, nil
}

var errClosed = errors.New("closed")

// unavailable says that the store cannot answer.
func unavailable(err error) error { return fmt.Errorf("%w: %w", storage.ErrUnavailable, err) }

// commitError tells a full store from a broken one. Some of bbolt's errors keep only the text of what they wrap.
func commitError(err error) error {
	if errors.Is(err, bolterrors.ErrMaxSizeReached) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) ||
		strings.Contains(err.Error(), syscall.ENOSPC.Error()) || strings.Contains(err.Error(), syscall.EDQUOT.Error()) {
		return fmt.Errorf("commit: %w: %w", storage.ErrFull, err)
	}
	return fmt.Errorf("commit: %w", unavailable(err))
}
