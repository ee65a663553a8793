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

// commit.go contains the committer: one goroutine that runs the queued jobs in batches, each batch in one transaction.

// committer is the state that only the committer's goroutine uses.
type committer struct {
	auditTail     auditTail         // the last line of the audit trail
	file          os.FileInfo       // the file that is open
	sinceFull     storage.Stopwatch // started at the last commit that found no room
	fullPause     time.Duration     // the committer tries no commit until sinceFull reaches this
	takeBacks     []func(*tx)       // undo writes that took effect although their callers got an error
	doubt         doubt             // the commit whose sync failed
	sinceRecovery storage.Stopwatch // started at the last attempt to write again

	// The functions that access the disk. Tests replace them to simulate a slow or failing disk.
	commitTx func(*bbolt.Tx) error   // bbolt's Commit
	verify   func(path string) error // verifyDevice
	testDisk func(path string) error // testDisk
	hasRoom  func(path string) bool  // hasRoom
}

// commitLoop takes the jobs that wait in the queue and commits them together, again and again until the store closes.
func (s *Store) commitLoop() {
	defer close(s.stopped)
	debug.SetPanicOnFault(true) // a damaged page may point beyond the file; runJob and commitTx recover the panic
	for {
		select {
		case j := <-s.queue:
			runtime.Gosched() // lets other goroutines that are about to write join the batch
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

// commit runs a batch in one transaction and answers all its jobs. bbolt has no savepoints: if a job fails after it
// has written, commit rolls the transaction back and runs the other jobs again without it. The failed job then runs
// alone. Its error may have resulted from records that the others had written, and they are on disk only by then.
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

// runBatch runs a batch once. It returns the index of a job that failed after it had written, or -1 and the error of
// the commit. It stores each job's own error in the job.
func (s *Store) runBatch(batch []*job) (failed int, err error) {
	b, err := s.db.Load().Begin(true)
	if err != nil {
		return -1, s.beginError(err)
	}
	t := &tx{Tx: b, cache: s.cache.Load(), decoded: &s.decoded, auditTail: s.committer.auditTail}
	if key := s.auditKey.Load(); key != nil {
		t.auditKey = *key
	}
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

// runJob runs one job, unless its caller has abandoned it. It turns a panic into an error.
func (t *tx) runJob(j *job) (err error) {
	firstRun := j.state.CompareAndSwap(jobQueued, jobRunning)
	if !firstRun && !j.state.CompareAndSwap(jobReturned, jobRunning) {
		return unavailable(context.Canceled)
	}
	defer func() {
		if p := recover(); p != nil {
			t.wrote = true // the job may have written before the panic
			err = panicError(p)
		}
		j.state.Store(jobReturned)
		if firstRun {
			close(j.returned)
		}
	}()
	t.err = nil
	if err := j.run(t); err != nil {
		return err
	}
	return t.err
}

// answer gives every job of a batch its answer: the error of the commit, or else the job's own. It registers the
// takeBack of a job that took effect although its caller has abandoned it.
func (s *Store) answer(batch []*job, commitErr error) {
	for _, j := range batch {
		if commitErr != nil {
			j.err = commitErr
		}
		callerWaits := j.state.CompareAndSwap(jobReturned, jobAnswered)
		close(j.done)
		if !callerWaits && j.err == nil && j.takeBack != nil {
			s.committer.takeBacks = append(s.committer.takeBacks, j.takeBack)
		}
	}
}

// runTakeBacks undoes the writes that took effect although their callers got an error. It runs before any job that
// such a caller may have queued to repeat its write.
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

// flush commits b and returns when it is on disk. If it returns an error, the batch had no effect, or the outcome is
// unknown and flush has halted the store.
func (s *Store) flush(b *bbolt.Tx, batch []*job) error {
	c := &s.committer
	err := checkFileInPlace(s.options.Path, c.file)
	if err == nil && c.sinceFull.Elapsed() < c.fullPause {
		err = fmt.Errorf("commit: %w", storage.ErrFull)
	}
	if err == nil && !c.hasRoom(s.options.Path) {
		s.outOfSpace.Store(true)
		err = fmt.Errorf("commit: %w: less than 1 MiB is left on the disk", storage.ErrFull)
	}
	if err != nil {
		_ = b.Rollback() // cannot fail in an open transaction
		return err
	}
	f := &flight{tx: uint64(b.ID()), settled: make(chan struct{})}
	defer close(f.settled)
	s.flight.Store(f)
	watch := storage.StartStopwatch()
	err = commitTx(b, c.commitTx)
	if err == nil {
		s.durable.Store(f.tx)
		s.commits.Add(1)
		return nil
	}
	f.err = commitError(err)
	if errors.Is(f.err, storage.ErrFull) && !s.shows(f.tx) {
		s.outOfSpace.Store(true)
		c.fullPause = min(fullPauseFactor*watch.Elapsed(), maxFullPause)
		c.sinceFull = storage.StartStopwatch()
		return f.err
	}
	f.err = unavailable(fmt.Errorf("commit: %w", err)) // not ErrFull: the outcome is unknown, whatever the cause
	s.haltAfter(f.tx, batch, err)
	return f.err
}

// commitRoom is how many bytes the disk must have left before a commit. It is more than most commits need: a commit
// that finds no room takes long, because bbolt then searches the whole file for free pages.
const commitRoom = 1 << 20

// After a commit that found no room, the committer pauses for fullPauseFactor times the duration of that commit, but at
// most for maxFullPause.
const (
	fullPauseFactor = 4
	maxFullPause    = 2 * time.Second
)

// shows reports whether readers see a transaction in the file, or may see it.
func (s *Store) shows(tx uint64) bool {
	b, err := s.db.Load().Begin(false)
	if err != nil {
		return true
	}
	defer func() { _ = b.Rollback() }() // cannot fail in a read transaction
	return uint64(b.ID()) >= tx
}

// commitTx commits b. It turns a panic, such as a damaged page causes, into an error.
func commitTx(b *bbolt.Tx, commit func(*bbolt.Tx) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errors.Join(panicError(p), b.Rollback())
		}
	}()
	return commit(b)
}

// commitError returns ErrFull if the disk or the file is full, and otherwise ErrUnavailable. It also compares texts,
// because some errors of bbolt contain only the text of their cause.
func commitError(err error) error {
	text := err.Error()
	for _, full := range []error{bolterrors.ErrMaxSizeReached, syscall.ENOSPC, syscall.EDQUOT} {
		if errors.Is(err, full) || strings.Contains(text, full.Error()) {
			return fmt.Errorf("commit: %w: %w", storage.ErrFull, err)
		}
	}
	return fmt.Errorf("commit: %w", unavailable(err))
}
