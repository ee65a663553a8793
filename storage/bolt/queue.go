package bolt

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// queue.go contains the callers' side of a write: a caller queues a job and waits for the committer's answer, but not
// longer than answerTimeout. All calls of one HTTP request together wait no longer (storage.WithWaitLimit).

// answerTimeout is how long a caller waits for the disk.
const answerTimeout = storage.RequestWait

const (
	queueLength = 1024 // jobs that may wait; further callers wait to queue theirs
	batchLength = 256  // jobs in one transaction
)

// The states of a job. Its caller may abandon a job, but not while run is running: run may use variables of the caller.
const (
	jobQueued    int32 = iota
	jobRunning         // run is running
	jobReturned        // run has returned; its commit is outstanding
	jobAnswered        // the caller gets the answer
	jobAbandoned       // the caller no longer waits
)

// job is one write that the committer executes for a caller.
type job struct {
	run      func(*tx) error
	takeBack func(*tx)     // undoes run if it took effect although the caller got an error; nil: nothing to undo
	state    atomic.Int32  // jobQueued …
	returned chan struct{} // closed when run has returned for the first time
	done     chan struct{} // closed when err is final
	err      error
}

func newJob(run func(*tx) error) *job {
	return &job{run: run, returned: make(chan struct{}), done: make(chan struct{})}
}

// write runs fn in the next transaction and returns when that transaction is on disk. If fn returns an error, nothing
// that it wrote is stored. ErrUnavailable: the outcome is unknown; the write may still take effect.
func write[T any](ctx context.Context, s *Store, fn func(*tx) (T, error)) (T, error) {
	return writeOrTakeBack(ctx, s, fn, nil)
}

// writeOrTakeBack does what write does. If the write takes effect although its caller got an error, takeBack undoes it
// in the next transaction. It is for writes that do harm if their caller does not know the result (takeback.go). After
// a crash the write is not undone.
func writeOrTakeBack[T any](ctx context.Context, s *Store, fn func(*tx) (T, error), takeBack func(*tx, T)) (T, error) {
	var zero T
	result := new(T)
	j := newJob(func(t *tx) error {
		v, err := fn(t)
		*result = v
		return err
	})
	if takeBack != nil {
		j.takeBack = func(t *tx) { takeBack(t, *result) }
	}
	if err := s.submit(ctx, j); err != nil {
		return zero, err
	}
	return *result, nil
}

// update does what write does, for functions without a result.
func (s *Store) update(ctx context.Context, fn func(*tx) error) error {
	return s.submit(ctx, newJob(fn))
}

// submit queues a job and waits for its answer.
func (s *Store) submit(ctx context.Context, j *job) error {
	if err := ctx.Err(); err != nil {
		return unavailable(err)
	}
	mayWait, endWait := storage.BeginWait(ctx, answerTimeout)
	defer endWait()
	if mayWait == 0 {
		return unavailable(errNotTried)
	}
	timer := time.NewTimer(mayWait)
	defer timer.Stop()
	select {
	case s.queue <- j:
	case <-s.closing:
		return unavailable(errClosed)
	case <-ctx.Done():
		return unavailable(ctx.Err())
	case <-timer.C:
		return unavailable(errNotTried)
	}
	select {
	case <-j.done:
		return j.err
	case <-ctx.Done():
		return s.abandon(j, ctx.Err())
	case <-timer.C:
		return s.abandon(j, errSlow)
	case <-s.stopped:
	}
	select {
	case <-j.done: // the job was in the last batch
		return j.err
	default:
		return unavailable(errClosed)
	}
}

// abandon stops waiting for a job. If the job's function is running, abandon first waits until it has returned.
func (s *Store) abandon(j *job, cause error) error {
	if j.state.CompareAndSwap(jobQueued, jobAbandoned) {
		if errors.Is(cause, errSlow) {
			cause = errNotTried
		}
		return unavailable(cause)
	}
	<-j.returned
	for !j.state.CompareAndSwap(jobReturned, jobAbandoned) {
		select {
		case <-j.done:
			return j.err
		default:
			runtime.Gosched() // the function runs once more, alone (Store.commit)
		}
	}
	return unavailable(cause)
}

var (
	errClosed   = errors.New("the store is closed")
	errNotTried = fmt.Errorf(
		"the disk did not finish earlier writes in the %v that a request waits; this one was not tried",
		answerTimeout,
	)
	errSlow = fmt.Errorf(
		"the disk did not answer in the %v that a request waits; the write may still take effect, and repeating it is safe",
		answerTimeout,
	)
)

// unavailable wraps err in storage.ErrUnavailable.
func unavailable(err error) error { return fmt.Errorf("%w: %w", storage.ErrUnavailable, err) }
