// Package bolt keeps Curfew's records in one bbolt file.
//
//	writes ──▶ queue ──▶ committer ──▶ one transaction, one fsync ──▶ answers to all its callers
//	reads  ──▶ a read transaction; clients and unfinished bulk logouts come from a cache in memory
//
// The package owns the file: its mode, its lock, its schema and its indexes. Every index entry is written in the
// transaction of its record and removed with it. Writers share a commit without any delay: jobs that arrive during a
// commit go into the next one.
//
// What a caller learns is on disk. A write is answered after its sync. A read that saw a commit before its sync waits
// for it (durable.go). If a commit fails, none of its jobs gets an answer that rests on it, and after a failed sync
// the store writes nothing until it has opened and verified the file again (recovery.go).
//
// Tokens and refresh-token hashes of a grant that ended stay in the file until [Store.Sweep] removes them. They name a
// grant that no longer exists, and are refused for that reason.
package bolt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/curfew-id/curfew/storage"
)

// lockTimeout is how long Open waits for a process that is about to close the file.
const lockTimeout = 200 * time.Millisecond

// Options says how to open a store.
type Options struct {
	Path    string
	Timeout time.Duration // how long to wait for the file's lock; 0 means 200 ms
	MaxSize int           // bytes the file may grow to; 0 means no limit
	Log     *slog.Logger  // says when writing stops and goes on; nil: nothing is logged
}

// Store is a store in one file, for one process.
type Store struct {
	options      Options
	db           atomic.Pointer[bbolt.DB] // replaced when the file is opened again
	cache        atomic.Pointer[cache]
	decoded      decodedClients
	observedTime atomic.Int64
	commits      atomic.Uint64
	outOfSpace   atomic.Bool // set when a commit fails for lack of space, cleared by Ready
	durable      atomic.Uint64
	flight       atomic.Pointer[flight]
	halt         atomic.Pointer[halt] // why nothing is written; nil: the store writes

	committer committer
	queue     chan *job
	closing   chan struct{}
	stopped   chan struct{} // closed when the committer has returned
	closeOnce sync.Once
	closeErr  error
}

var _ storage.Store = (*Store)(nil)

// Open opens the store at o.Path and makes it, readable by its owner only, if there is none. ErrLocked: another
// process has it open. ErrNewer, ErrOlder: another release wrote it.
func Open(o Options) (*Store, error) {
	if o.Timeout == 0 {
		o.Timeout = lockTimeout
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Store{
		options: o,
		queue:   make(chan *job, queueLength),
		closing: make(chan struct{}),
		stopped: make(chan struct{}),
	}
	s.committer.commitTx = (*bbolt.Tx).Commit
	s.committer.verify = verifyDevice
	s.committer.testDisk = testDisk
	if err := s.open(); err != nil {
		return nil, fmt.Errorf("open store %s: %w", o.Path, err)
	}
	go s.commitLoop()
	if err := s.releaseLeases(context.Background()); err != nil {
		return nil, errors.Join(fmt.Errorf("open store %s: %w", o.Path, err), s.Close())
	}
	return s, nil
}

// open checks and opens the file, and prepares it.
func (s *Store) open() error {
	if err := checkFile(s.options.Path); err != nil {
		return err
	}
	db, file, err := openFile(s.options)
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return fmt.Errorf(
			"%w; stop that process, or administer the running server through its socket",
			storage.ErrLocked,
		)
	case err != nil:
		return unavailable(err)
	}
	s.db.Store(db)
	s.committer.file = file
	if err := recoverDamage(s.prepare); err != nil {
		return errors.Join(err, db.Close())
	}
	return nil
}

// Commits is how many transactions were written to disk since Open: the number of fsyncs that callers waited for.
func (s *Store) Commits() uint64 { return s.commits.Load() }

// Close waits for running transactions and releases the file. It leaves a list of the free pages in the file, so that
// the next Open does not have to look for them.
func (s *Store) Close() error {
	s.closeOnce.Do(func() {
		close(s.closing)
		<-s.stopped
		db := s.db.Load()
		if s.halt.Load() == nil {
			db.NoFreelistSync = false
			if b, err := db.Begin(true); err == nil {
				_ = commitTx(b, s.committer.commitTx) // on a full disk the list is left out
			}
		}
		if err := db.Close(); err != nil {
			s.closeErr = fmt.Errorf("close store: %w", err)
		}
	})
	return s.closeErr
}

// observeTime keeps the time that a caller passed last; it dates the end of a bulk logout.
func (s *Store) observeTime(at time.Time) { s.observedTime.Store(at.UnixMilli()) }

// lastTime returns the time that a caller passed last.
func (s *Store) lastTime() time.Time { return time.UnixMilli(s.observedTime.Load()).UTC() }
