package bolt

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.etcd.io/bbolt"

	"github.com/curfew-id/curfew/storage"
)

// recovery.go stops writing after a commit whose outcome is not known, and finds out what is on disk.
//
// When a sync fails, the operating system may have dropped the written pages and still show them to readers. bbolt goes on
// from what it is shown: it would write the next transaction over pages that the meta page on disk still needs, and a
// power cut would leave a damaged file. So nothing is written until the file was opened again, was compared with the disk,
// and took a write.

// reopenPause is how long the store waits between two attempts to open the file again.
const reopenPause = time.Second

// halt is why the store writes nothing.
type halt struct {
	cause  error // the error of the commit
	reopen error // why the file could not be opened again; nil before the first attempt
}

// error says what happened and what to do.
func (h *halt) error() error {
	if h.reopen == nil {
		return fmt.Errorf("%w: a write failed and the file is being checked: %w", storage.ErrUnavailable, h.cause)
	}
	return fmt.Errorf("%w: a write failed (%w), and the file cannot be used again: %w; Curfew tries again every second; "+
		"look for disk errors in the kernel's log (dmesg), repair the disk or restore a backup on another one",
		storage.ErrUnavailable, h.cause, h.reopen)
}

// doubt is a commit whose outcome is not known, with the functions that undo it: none of its callers learned that it took
// effect.
type doubt struct {
	tx        uint64
	takeBacks []func(*tx)
}

// haltAfter stops writing after a commit that failed.
func (s *Store) haltAfter(f *flight, batch []*job) {
	s.committer.doubt = doubt{tx: f.tx}
	for _, j := range batch {
		if j.err == nil && j.takeBack != nil {
			s.committer.doubt.takeBacks = append(s.committer.doubt.takeBacks, j.takeBack)
		}
	}
	s.committer.lastReopen = stopwatch{}
	s.halt.Store(&halt{cause: f.err})
	s.options.Log.Error("store stopped writing", slog.String("path", s.options.Path), slog.Any("err", f.err))
}

// mayWrite reports whether the store writes. A halted store tries to open its file again, at most once in reopenPause.
func (s *Store) mayWrite() bool {
	s.reopenIfHalted()
	return s.halt.Load() == nil
}

// reopenIfHalted opens the file of a halted store again, if that was not tried just before.
func (s *Store) reopenIfHalted() {
	h := s.halt.Load()
	if h == nil || s.committer.lastReopen.elapsed() < reopenPause {
		return
	}
	s.committer.lastReopen = startStopwatch()
	if err := recoverDamage(s.reopen); err != nil {
		if h.reopen == nil || h.reopen.Error() != err.Error() {
			s.options.Log.Error("store cannot be opened again", slog.String("path", s.options.Path), slog.Any("err", err))
		}
		s.halt.Store(&halt{cause: h.cause, reopen: err})
		return
	}
	s.halt.Store(nil)
	s.options.Log.Warn("store writes again", slog.String("path", s.options.Path))
}

// reopen closes the file, compares it with the disk, opens it, and writes to it.
func (s *Store) reopen() error {
	c := &s.committer
	if err := checkFileInPlace(s.options.Path, c.file); err != nil {
		return err // the file stays open: its content can still be copied
	}
	if err := s.db.Load().Close(); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	if err := c.verify(s.options.Path); err != nil {
		return fmt.Errorf("compare with the disk: %w", err)
	}
	if err := checkFile(s.options.Path); err != nil {
		return err
	}
	db, file, err := openFile(s.options)
	if err != nil {
		return err
	}
	stood, err := newestTx(db)
	if err == nil {
		err = testWrite(db)
	}
	var newest uint64
	if err == nil {
		newest, err = newestTx(db)
	}
	if err != nil {
		return errors.Join(err, db.Close())
	}
	c.file = file
	s.durable.Store(newest)
	s.db.Store(db)
	if err := s.reload(); err != nil {
		return errors.Join(err, db.Close())
	}
	if stood >= c.doubt.tx {
		c.takeBacks = append(c.takeBacks, c.doubt.takeBacks...)
	}
	c.doubt = doubt{}
	return nil
}

// newestTx is the number of the transaction that the file shows.
func newestTx(db *bbolt.DB) (tx uint64, err error) {
	err = db.View(func(b *bbolt.Tx) error {
		tx = uint64(b.ID())
		return nil
	})
	return tx, err
}

// testWrite commits once. A disk without room is no reason not to go on.
func testWrite(db *bbolt.DB) error {
	err := db.Update(func(b *bbolt.Tx) error {
		return b.Bucket([]byte(tableNames[meta])).Put(readyKey, sequenceKey(0))
	})
	if err == nil || errors.Is(commitError(err), storage.ErrFull) {
		return nil
	}
	return fmt.Errorf("test write: %w", err)
}
