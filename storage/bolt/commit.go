package bolt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/curfew-id/curfew/storage"
)

// commit.go is the committer: one goroutine that runs the queued jobs in batches, each batch in one transaction.

// committer is the state that only the committer's goroutine uses.
type committer struct {
	auditTail     auditTail     // the end of the audit trail
	file          os.FileInfo   // the file that is open
	sinceFull     stopwatch     // runs since the last commit that found no room
	fullPause     time.Duration // for so long after it no commit is tried
	takeBacks     []func(*tx)   // undo writes that took effect after their callers got an error
	doubt         doubt         // the commit whose sync failed
	sinceRecovery stopwatch     // runs since the last attempt to write again

	// The disk, which tests replace by a slow or failing one.
	commitTx func(*bbolt.Tx) error   // bbolt's Commit
	verify   func(path string) error // verifyDevice
	testDisk func(path string) error // testDisk
}

// commitLoop takes the waiting jobs, commits them together, and starts over until the store closes.
func (s *Store) commitLoop() {
	defer close(s.stopped)
	debug.SetPanicOnFault(true) // a damaged page may point beyond the file; runJob and commitTx contain the panic
	for {
		select {
		case j := <-s.queue:
			runtime.Gosched() // lets other callers that are ready to write join the batch
			s.commit(s.drain([]*job{j}))
			s.runTakeBacks()
		case <-s.closing:
			for batch := s.drain(nil); len(batch) > 0; batch = s.drain(nil) {
				s.commit(batch)
			}
			return
		}
	}
}

// drain adds to batch the jobs that wait in the queue now.
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
// has written, all is rolled back and the others run again without it. The one that failed then runs alone, because
// its error may rest on what the others had written, and that is on disk only then.
func (s *Store) commit(batch []*job) {
	if !s.mayWrite() {
		s.answer(batch, s.halt.Load().error())
		return
	}
	var alone []*job
	for len(batch) > 0 {
		failed, err := s.runBatch(batch)
		if failed < 0 || len(batch) == 1 {
			s.answer(batch, err)
			break
		}
		alone = append(alone, batch[failed])
		batch = append(batch[:failed:failed], batch[failed+1:]...)
	}
	s.recoverIfHalted()
	for _, j := range alone {
		s.commit([]*job{j})
	}
}

// runBatch runs a batch once. It returns the index of a function that failed after it had written, or -1 and the
// error of the commit. Either way the functions' own errors stand in their jobs.
func (s *Store) runBatch(batch []*job) (failed int, err error) {
	b, err := s.db.Load().Begin(true)
	if err != nil {
		return -1, s.beginError(err)
	}
	t := &tx{Tx: b, cache: s.cache.Load(), decoded: &s.decoded, auditTail: s.committer.auditTail}
	wrote := false
	for i, j := range batch {
		t.wrote = false
		if j.err = t.runJob(j); j.err != nil && t.wrote {
			_ = b.Rollback() // cannot fail in an open transaction
			return i, nil
		}
		wrote = wrote || t.wrote
	}
	if !wrote {
		_ = b.Rollback() // cannot fail in an open transaction
		return -1, nil
	}
	if err := s.flush(b, batch); err != nil {
		return -1, err
	}
	s.cache.Store(t.cache)
	s.committer.auditTail = t.auditTail
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
			t.wrote = true // it may have
			err = panicError(p)
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

// answer gives every job of a batch its answer: the error of the commit, or else its function's own. A function whose
// caller has gone is taken back if it took effect.
func (s *Store) answer(batch []*job, commitErr error) {
	for _, j := range batch {
		if commitErr != nil {
			j.err = commitErr
		}
		answered := j.state.CompareAndSwap(jobReturned, jobAnswered)
		close(j.done)
		if !answered && j.err == nil && j.takeBack != nil {
			s.committer.takeBacks = append(s.committer.takeBacks, j.takeBack)
		}
	}
}

// runTakeBacks undoes the writes that took effect after their callers got an error. It runs before any job that such a
// caller may have queued to repeat its write.
func (s *Store) runTakeBacks() {
	list := s.committer.takeBacks
	s.committer.takeBacks = nil
	var batch []*job
	for _, takeBack := range list {
		batch = append(batch, newJob(func(t *tx) error { takeBack(t); return nil }))
	}
	if len(batch) > 0 {
		s.commit(batch)
	}
}

// flush commits b and returns when it is on disk. An error leaves the batch without effect, or, when the outcome is not
// known, halts the store.
func (s *Store) flush(b *bbolt.Tx, batch []*job) error {
	c := &s.committer
	err := checkFileInPlace(s.options.Path, c.file)
	if err == nil && c.sinceFull.elapsed() < c.fullPause {
		err = fmt.Errorf("commit: %w", storage.ErrFull)
	}
	if err != nil {
		_ = b.Rollback() // cannot fail in an open transaction
		return err
	}
	f := &flight{tx: uint64(b.ID()), settled: make(chan struct{})}
	defer close(f.settled)
	s.flight.Store(f)
	watch := startStopwatch()
	err = commitTx(b, c.commitTx)
	if err == nil {
		s.durable.Store(f.tx)
		s.commits.Add(1)
		return nil
	}
	f.err = commitError(err)
	if errors.Is(f.err, storage.ErrFull) && !s.shows(f.tx) {
		s.outOfSpace.Store(true)
		c.fullPause, c.sinceFull = min(fullPause*watch.elapsed(), maxFullPause), startStopwatch()
		return f.err
	}
	f.err = unavailable(fmt.Errorf("commit: %w", err)) // also where the room ran out: the outcome is not known
	s.haltAfter(f.tx, batch, err)
	return f.err
}

// After a commit that found no room bbolt looks for the free pages in the whole file. The next commit is therefore
// tried only after fullPause times as long, and after maxFullPause at the latest.
const (
	fullPause    = 4
	maxFullPause = 2 * time.Second
)

// shows reports whether the file shows a transaction to readers, or may show it.
func (s *Store) shows(tx uint64) bool {
	b, err := s.db.Load().Begin(false)
	if err != nil {
		return true
	}
	defer func() { _ = b.Rollback() }() // cannot fail in a read transaction
	return uint64(b.ID()) >= tx
}

// commitTx commits b. A panic on the way, as a damaged page causes it, is an error like any other.
func commitTx(b *bbolt.Tx, commit func(*bbolt.Tx) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errors.Join(panicError(p), b.Rollback())
		}
	}()
	return commit(b)
}

// commitError distinguishes a full store from a broken one. Some of bbolt's errors keep only the text of what they
// wrap.
func commitError(err error) error {
	text := err.Error()
	for _, full := range []error{bolterrors.ErrMaxSizeReached, syscall.ENOSPC, syscall.EDQUOT} {
		if errors.Is(err, full) || strings.Contains(text, full.Error()) {
			return fmt.Errorf("commit: %w: %w", storage.ErrFull, err)
		}
	}
	return fmt.Errorf("commit: %w", unavailable(err))
}
