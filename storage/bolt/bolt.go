// Package bolt keeps Curfew's records in one bbolt file.
//
//	writes ──▶ queue ──▶ committer ──▶ one transaction, one fsync ──▶ all its callers answered
//	reads  ──▶ View, and for clients and running mass endings the decoded copies in memory
//
// It owns the file: its mode, its lock, its schema version and its indexes. Every index entry is written in the
// transaction of its record and removed with it. Writers share a commit without any artificial delay: what arrives while
// one is under way goes into the next.
//
// Tokens and refresh-token hashes of an ended grant stay in the file until [Store.Sweep] comes by; they name a grant
// that is gone, which is what makes them dead.
package bolt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
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
}

// Store is a store in one file, for one process.
type Store struct {
	db         *bbolt.DB
	cache      atomic.Pointer[cache]
	auditTail  auditTail // the end of the audit trail; the committer's own
	latestTime atomic.Int64
	commits    atomic.Uint64
	outOfSpace atomic.Bool // the latest commit that failed found no room, and Ready has not found any since

	queue     chan *job
	closing   chan struct{}
	stopped   chan struct{}
	closeOnce sync.Once
	closeErr  error
}

var _ storage.Store = (*Store)(nil)

// Open opens the store at o.Path and makes it, readable by its owner only, if there is none. ErrLocked: another
// process has it open. ErrNewer: a newer release wrote it.
func Open(o Options) (*Store, error) {
	if o.Timeout == 0 {
		o.Timeout = lockTimeout
	}
	if err := checkFile(o.Path); err != nil {
		return nil, fmt.Errorf("open store %s: %w", o.Path, err)
	}
	db, err := openFile(o)
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, fmt.Errorf("open store %s: %w; stop that process, or administer the running server through its socket", o.Path, storage.ErrLocked)
	case err != nil:
		return nil, fmt.Errorf("open store %s: %w", o.Path, unavailable(err))
	}
	s := &Store{db: db, queue: make(chan *job, queueLength), closing: make(chan struct{}), stopped: make(chan struct{})}
	if err := recoverDamage(s.prepare); err != nil {
		return nil, errors.Join(fmt.Errorf("open store %s: %w", o.Path, err), db.Close())
	}
	go s.commitLoop()
	if err := s.releaseLeases(context.Background()); err != nil {
		return nil, errors.Join(fmt.Errorf("open store %s: %w", o.Path, err), s.Close())
	}
	return s, nil
}

// openFile opens the file with its lock. bbolt panics at what it finds damaged, and would keep the lock.
func openFile(o Options) (db *bbolt.DB, err error) {
	var file *os.File
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			db, err = nil, errors.Join(fmt.Errorf("%v: %w", p, errDamaged), file.Close())
		}
	}()
	return bbolt.Open(o.Path, 0o600, &bbolt.Options{
		Timeout:        o.Timeout,
		MaxSize:        o.MaxSize,
		NoFreelistSync: true, // with many free pages the list costs more than the data of a commit
		FreelistType:   bbolt.FreelistMapType,
		NoStatistics:   true,
		OpenFile: func(path string, flag int, mode os.FileMode) (_ *os.File, err error) {
			if file, err = os.OpenFile(path, flag, mode); err != nil {
				return nil, err
			}
			if err = file.Chmod(mode); err != nil { // whoever made it: it holds password hashes
				return nil, errors.Join(err, file.Close())
			}
			return file, nil
		},
	})
}

// recoverDamage makes an error of the panic that a damaged page causes.
func recoverDamage(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = damagedError(fmt.Sprint(p))
		}
	}()
	return fn()
}

// Commits is how many transactions were written to disk since Open: the number of fsyncs that callers waited for.
func (s *Store) Commits() uint64 { return s.commits.Load() }

// Close waits for running transactions and releases the file. It leaves a list of the free pages in it, so that the
// next Open does not have to look for them.
func (s *Store) Close() error {
	s.closeOnce.Do(func() {
		close(s.closing)
		<-s.stopped
		s.db.NoFreelistSync = false
		if b, err := s.db.Begin(true); err == nil {
			_ = flush(b) // a full disk keeps the list out; Open then finds the free pages by itself
		}
		if err := s.db.Close(); err != nil {
			s.closeErr = fmt.Errorf("close store: %w", err)
		}
	})
	return s.closeErr
}

// advanceClock remembers the latest time any caller has told; an ending that finishes is dated by it.
func (s *Store) advanceClock(at time.Time) {
	for now := at.UnixMilli(); ; {
		before := s.latestTime.Load()
		if now <= before || s.latestTime.CompareAndSwap(before, now) {
			return
		}
	}
}
