// Package bolt stores Curfew's records in one bbolt file.
//
//	writes ──▶ queue ──▶ committer ──▶ one transaction, one fsync ──▶ answers to all its callers
//	reads  ──▶ a read transaction; clients and unfinished bulk logouts come from a cache in memory
//
// The package owns the file: its mode, its lock, its schema and its indexes. It writes every index entry in the
// transaction of its record. A commit contains the jobs of several writers: jobs that arrive during one commit go into
// the next. No writer waits for others to join.
//
// Every result that a caller gets is on disk. The store answers a write after the sync. A read that saw a commit
// before its sync waits for that sync (durable.go). If a commit fails, all its jobs get an error. After a failed sync
// the store writes nothing until it has verified the file and opened it again (recovery.go).
//
// The tokens and refresh tokens of a grant that ended stay in the file until [Store.Sweep] removes them. The store
// refuses them, because their grant no longer exists.
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

// lockTimeout is the default of Options.Timeout. It suffices for a process that is just closing the file.
const lockTimeout = 200 * time.Millisecond

// Options are the options of Open.
type Options struct {
	Path    string
	Timeout time.Duration // how long to wait for the file's lock; 0 means 200 ms
	MaxSize int           // the largest size of the file in bytes; 0 means no limit
	Log     *slog.Logger  // logs when the store stops writing and when it writes again; nil: no log

	// Disk simulates a slow or failing disk in tests. It is called for each commit, and commits by calling commit. Nil:
	// the commit is made at once.
	Disk func(commit func() error) error
}

// Store is a store in one file, for one process.
type Store struct {
	options      Options
	db           atomic.Pointer[bbolt.DB] // replaced when the file is opened again
	cache        atomic.Pointer[cache]
	decoded      decodedClients
	observedTime atomic.Int64                     // see observeTime
	commits      atomic.Uint64                    // see Commits
	outOfSpace   atomic.Bool                      // set when a commit fails for lack of space, cleared by Ready
	auditKey     atomic.Pointer[storage.AuditKey] // see SetAuditKey; nil: lines have no MAC
	durable      atomic.Uint64                    // the latest bbolt transaction that is on disk
	flight       atomic.Pointer[flight]
	halt         atomic.Pointer[halt] // the reason why the store writes nothing; nil: it writes

	found Position // see FoundPosition
	isNew bool

	committer committer
	queue     chan *job
	closing   chan struct{}
	stopped   chan struct{} // closed when the committer has returned
	closeOnce sync.Once
	closeErr  error
}

var _ storage.Store = (*Store)(nil)

// Open opens the store at o.Path. If there is no file, it creates one that only its owner can read. ErrLocked: another
// process has the file open. ErrNewer, ErrOlder: another release wrote it.
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
	if o.Disk != nil {
		s.committer.commitTx = func(b *bbolt.Tx) error { return o.Disk(b.Commit) }
	}
	s.committer.verify = verifyDevice
	s.committer.testDisk = testDisk
	s.committer.hasRoom = hasRoom
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
	err = recoverDamage(func() error {
		if err := s.findPosition(db); err != nil {
			return unavailable(err)
		}
		return s.prepare()
	})
	if err != nil {
		return errors.Join(err, db.Close())
	}
	return nil
}

// Commits returns how many transactions were written to disk since Open. Each needed one fsync.
func (s *Store) Commits() uint64 { return s.commits.Load() }

// Close waits for running transactions and releases the file. It writes the list of free pages to the file, so that
// the next Open need not search for them.
func (s *Store) Close() error {
	s.closeOnce.Do(func() {
		close(s.closing)
		<-s.stopped
		db := s.db.Load()
		if s.halt.Load() == nil {
			db.NoFreelistSync = false
			if b, err := db.Begin(true); err == nil {
				_ = commitTx(b, s.committer.commitTx) // the list is not essential: a full disk may lack room for it
			}
		}
		if err := db.Close(); err != nil {
			s.closeErr = fmt.Errorf("close store: %w", err)
		}
	})
	return s.closeErr
}

// observeTime stores the latest time that a caller passed. The store dates the end of a bulk logout with it.
func (s *Store) observeTime(at time.Time) { s.observedTime.Store(at.UnixMilli()) }

// lastTime returns the time that observeTime stored.
func (s *Store) lastTime() time.Time { return time.UnixMilli(s.observedTime.Load()).UTC() }
