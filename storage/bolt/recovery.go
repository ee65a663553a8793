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

// recovery.go halts the store after a commit whose outcome is unknown, and lets it write again when the file is known
// to be in order.
//
// When a sync fails, the operating system may have dropped the written pages but still show them to readers. bbolt
// would continue from the pages that it reads. It would write the next transaction over pages that the meta page on
// disk still needs, and a power cut would leave a damaged file. The store therefore writes nothing until it has
// compared the file with the disk, opened it again, and written a test file. It reads again as soon as the file is
// open.

// recoveryPause is the shortest time between two attempts to write again.
const recoveryPause = time.Second

// halt is the reason why the store writes nothing.
type halt struct {
	cause    error // the error of the commit
	verified bool  // the store has compared the file with the disk and opened it again
	obstacle error // the error of the last attempt to write again; nil before the first attempt
}

// error returns the error for callers. It says what happened and how the operator can help.
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

// doubt is a commit whose outcome is unknown. All its callers got an error; if it took effect, takeBacks undo it.
type doubt struct {
	tx        uint64
	takeBacks []func(*tx)
}

// haltAfter halts the store after a failed commit.
func (s *Store) haltAfter(tx uint64, batch []*job, cause error) {
	s.committer.doubt = doubt{tx: tx}
	for _, j := range batch {
		if j.err == nil && j.takeBack != nil {
			s.committer.doubt.takeBacks = append(s.committer.doubt.takeBacks, j.takeBack)
		}
	}
	s.committer.sinceRecovery = storage.Stopwatch{}
	s.halt.Store(&halt{cause: cause})
	s.options.Log.Error("store stopped writing", slog.String("path", s.options.Path), slog.Any("err", cause))
}

// mayWrite reports whether the store may write. If it is halted, mayWrite first tries to end the halt.
func (s *Store) mayWrite() bool {
	s.recoverIfHalted()
	return s.halt.Load() == nil
}

// recoverIfHalted ends a halt if the file and the disk are in order. It tries at most once in recoveryPause.
func (s *Store) recoverIfHalted() {
	h := s.halt.Load()
	if h == nil || s.committer.sinceRecovery.Elapsed() < recoveryPause {
		return
	}
	s.committer.sinceRecovery = storage.StartStopwatch()
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
		return err // keep the removed file open: the operator can still copy its content
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

// newestTx returns the id of the newest transaction in the file.
func newestTx(db *bbolt.DB) (tx uint64, err error) {
	err = db.View(func(b *bbolt.Tx) error {
		tx = uint64(b.ID())
		return nil
	})
	return tx, err
}

// testDisk returns an error if it cannot write a file to the disk. A full disk is not an error.
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
