package bolt

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"go.etcd.io/bbolt"

	"github.com/curfew-id/curfew/storage"
)

// recovery.go stops writing after a commit whose outcome is not known, and finds out what is on disk.
//
// When a sync fails, the operating system may have dropped the written pages and still show them to readers. bbolt
// goes on from what it is shown: it would write the next transaction over pages that the meta page on disk still
// needs, and a power cut would leave a damaged file. So nothing is written until the file was compared with the disk
// and opened again, and the disk took a test file. Reads go on as soon as the file is open again.

// recoveryPause is how long the store waits between two attempts to write again.
const recoveryPause = time.Second

// halt is why the store writes nothing.
type halt struct {
	cause    error // the error of the commit
	verified bool  // the file was compared with the disk and is open again
	obstacle error // what stops the store from writing again; nil before the first attempt
}

// error says what happened and what to do.
func (h *halt) error() error {
	if h.obstacle == nil {
		return fmt.Errorf("%w: a write failed (%w), and the file is being checked", storage.ErrUnavailable, h.cause)
	}
	state := "the file cannot be used"
	if h.verified {
		state = "the disk takes no writes"
	}
	return fmt.Errorf(
		"%w: a write failed (%w), and %s (%w); Curfew tries again every second; look for disk errors in the "+
			"kernel's log (dmesg), and repair the disk or restore a backup on another one",
		storage.ErrUnavailable,
		h.cause,
		state,
		h.obstacle,
	)
}

// doubt is a commit whose outcome is not known, with the functions that undo it: none of its callers learned that it
// took effect.
type doubt struct {
	tx        uint64
	takeBacks []func(*tx)
}

// haltAfter stops writing after a commit that failed.
func (s *Store) haltAfter(tx uint64, batch []*job, cause error) {
	s.committer.doubt = doubt{tx: tx}
	for _, j := range batch {
		if j.err == nil && j.takeBack != nil {
			s.committer.doubt.takeBacks = append(s.committer.doubt.takeBacks, j.takeBack)
		}
	}
	s.committer.sinceRecovery = stopwatch{}
	s.halt.Store(&halt{cause: cause})
	s.options.Log.Error("store stopped writing", slog.String("path", s.options.Path), slog.Any("err", cause))
}

// mayWrite reports whether the store writes. A halted store tries to go on, at most once in recoveryPause.
func (s *Store) mayWrite() bool {
	s.recoverIfHalted()
	return s.halt.Load() == nil
}

// recoverIfHalted lets a halted store write again if its file and its disk are in order. It tries at most once in
// recoveryPause.
func (s *Store) recoverIfHalted() {
	h := s.halt.Load()
	if h == nil || s.committer.sinceRecovery.elapsed() < recoveryPause {
		return
	}
	s.committer.sinceRecovery = startStopwatch()
	next := &halt{cause: h.cause, verified: h.verified}
	if !next.verified {
		next.obstacle = recoverDamage(s.reopen)
		next.verified = next.obstacle == nil
	}
	if next.verified {
		next.obstacle = s.committer.testDisk(s.options.Path + ".test")
	}
	if next.obstacle == nil {
		s.halt.Store(nil)
		s.options.Log.Warn("store writes again", slog.String("path", s.options.Path))
		return
	}
	if h.obstacle == nil || h.obstacle.Error() != next.obstacle.Error() {
		s.options.Log.Error(
			"store cannot write again",
			slog.String("path", s.options.Path),
			slog.Any("err", next.obstacle),
		)
	}
	s.halt.Store(next)
}

// reopen closes the file, compares it with the disk, and opens it again.
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
		return fmt.Errorf("open: %w", err)
	}
	newest, err := newestTx(db)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	c.file = file
	s.durable.Store(newest)
	s.db.Store(db)
	if err := s.reload(); err != nil {
		return errors.Join(err, db.Close())
	}
	if newest >= c.doubt.tx {
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

// testDisk reports an error if the disk does not take a file. A disk without room is in order.
func testDisk(path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(make([]byte, os.Getpagesize()))
	err = errors.Join(err, file.Sync(), file.Close(), os.Remove(path))
	if err == nil || errors.Is(commitError(err), storage.ErrFull) {
		return nil
	}
	return fmt.Errorf("write a test file: %w", err)
}
