package bolt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/bbolt"

	"github.com/curfew-id/curfew/storage"
)

// faultyDisk stands between a store and bbolt's Commit. A commit is shown to readers before it returns, as between the
// write of a meta page and its sync.
type faultyDisk struct {
	commits atomic.Int64
	hang    chan struct{} // the sync hangs until this is closed; nil: it does not
	drop    error         // the commit fails before anything is shown; nil: it does not
	fail    error         // the sync fails; nil: it does not
	once    atomic.Bool   // the sync of the next commit alone fails with EIO
	delay   time.Duration // the commit takes this long
}

func (d *faultyDisk) commit(b *bbolt.Tx) error {
	d.commits.Add(1)
	time.Sleep(d.delay)
	if d.drop != nil {
		return errors.Join(d.drop, b.Rollback())
	}
	if err := b.Commit(); err != nil {
		return err
	}
	if d.hang != nil {
		<-d.hang
	}
	if d.once.CompareAndSwap(true, false) {
		return syscall.EIO
	}
	return d.fail
}

// mustOpenFaulty opens a store with the users ann and bob, a session and a grant for each, and a disk that fails on
// demand.
func mustOpenFaulty(t *testing.T, log *slog.Logger) (*Store, *faultyDisk) {
	t.Helper()
	s := mustOpen(t, Options{Path: filepath.Join(t.TempDir(), "curfew.db"), Log: log})
	must(t, s.PutClient(t.Context(), storage.Client{Metadata: storage.Metadata{ClientID: "app"}}))
	for _, subject := range []string{"ann", "bob"} {
		must(t, s.PutUser(t.Context(), storage.User{Subject: subject, Name: subject}))
		session := fixtureSession(subject, subject)
		must(t, s.CreateSession(t.Context(), session, storage.Event{}))
		_, err := redeemFixture(t, s, fixtureCode(subject, "app", session), false)
		must(t, err)
	}
	d := &faultyDisk{}
	must(t, s.update(t.Context(), func(*tx) error {
		s.committer.commitTx = d.commit // in the committer's goroutine, whose state this is
		return nil
	}))
	return s, d
}

// endSession ends the session with an id.
func endSession(s *Store, id storage.SessionID) (ended int, err error) {
	r := storage.EndRequest{
		Selector: storage.Selector{Sessions: []storage.SessionID{id}},
		Cause:    storage.Cause{ID: "cause"},
	}
	terminations, _, err := s.EndSessions(context.Background(), r, fixtureStart, 0, nil)
	return len(terminations), err
}

// refreshFixture exchanges the refresh token of redeemFixture.
func refreshFixture(s *Store, subject string) error {
	_, err := refreshFixtureAt(s, subject, fixtureStart)
	return err
}

// refreshFixtureAt is refreshFixture at that time.
func refreshFixtureAt(s *Store, subject string, at time.Time) (storage.RefreshResult, error) {
	r := storage.RefreshRequest{
		Token:    storage.HashOf("refresh-" + subject),
		NewToken: storage.HashOf("next-" + subject),
		Client:   "app",
		Grace:    time.Minute,
	}
	return s.Refresh(
		context.Background(),
		r,
		at,
		func(g storage.Grant, _ *storage.Session) (storage.Issuance, error) {
			return storage.Issuance{Grant: g}, nil
		},
	)
}

// background runs fn and hands out its error.
func background(fn func() error) chan error {
	result := make(chan error, 1)
	go func() { result <- fn() }()
	return result
}

// TestTerminationIsReportedOnlyWhenItIsOnDisk: while the sync of a termination hangs, no other call says that the
// session has ended.
func TestTerminationIsReportedOnlyWhenItIsOnDisk(t *testing.T) {
	ctx := context.Background()
	notFound := func(err error) error {
		if !errors.Is(err, storage.ErrNotFound) && !errors.Is(err, storage.ErrRevoked) {
			return fmt.Errorf("got error %w, want a termination", err)
		}
		return nil
	}
	for name, claim := range map[string]func(s *Store) error{
		"a second logout": func(s *Store) error {
			if n, err := endSession(s, "ann"); err != nil || n != 0 {
				return fmt.Errorf("got %d ended and error %w", n, err)
			}
			return nil
		},
		"the session of a cookie": func(s *Store) error {
			_, err := s.SessionBySecret(ctx, storage.HashOf("ann"), fixtureStart)
			return notFound(err)
		},
		"introspection": func(s *Store) error {
			_, _, err := s.Token(ctx, storage.HashOf("token-ann"), fixtureStart)
			return notFound(err)
		},
		"a refresh": func(s *Store) error { return notFound(refreshFixture(s, "ann")) },
		"a list": func(s *Store) error {
			list, _, err := s.ListSessions(ctx, storage.Selector{Subject: "ann"}, fixtureStart, storage.Page{})
			if err != nil || len(list) != 0 {
				return fmt.Errorf("got %d sessions and error %w", len(list), err)
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, disk := mustOpenFaulty(t, nil)
				disk.hang = make(chan struct{})
				termination := background(func() error { _, err := endSession(s, "ann"); return err })
				synctest.Wait()
				claimed := background(func() error { return claim(s) })
				synctest.Wait()
				select {
				case err := <-claimed:
					t.Errorf("answered before the termination was on disk (error %v)", err)
				default:
				}
				close(disk.hang)
				must(t, <-termination)
				if err := <-claimed; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestFoundRecordDoesNotWaitForTheDisk: the check of a token that is active costs no wait during another's commit.
func TestFoundRecordDoesNotWaitForTheDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, disk := mustOpenFaulty(t, nil)
		disk.hang = make(chan struct{})
		termination := background(func() error { _, err := endSession(s, "ann"); return err })
		synctest.Wait()
		_, _, err := s.Token(context.Background(), storage.HashOf("token-bob"), fixtureStart)
		must(t, err)
		_, err = s.User(context.Background(), "bob")
		must(t, err)
		close(disk.hang)
		must(t, <-termination)
	})
}

// TestReaderOfAFailedCommitGetsItsError: who waited for a sync that failed is not answered from it.
func TestReaderOfAFailedCommitGetsItsError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, disk := mustOpenFaulty(t, nil)
		disk.hang, disk.fail = make(chan struct{}), syscall.EIO
		termination := background(func() error { _, err := endSession(s, "ann"); return err })
		synctest.Wait()
		reading := background(func() error {
			_, err := s.SessionBySecret(context.Background(), storage.HashOf("ann"), fixtureStart)
			return err
		})
		synctest.Wait()
		close(disk.hang)
		for _, result := range []chan error{termination, reading} {
			if err := <-result; !errors.Is(err, storage.ErrUnavailable) || !errors.Is(err, syscall.EIO) {
				t.Errorf("got error %v", err)
			}
		}
	})
}

// mustBatch runs functions in one batch and returns their errors.
func mustBatch(t *testing.T, s *Store, do ...func() error) []error {
	t.Helper()
	release := make(chan struct{})
	holding := background(func() error {
		return s.update(context.Background(), func(*tx) error { <-release; return nil })
	})
	synctest.Wait()
	var results []chan error
	for _, fn := range do {
		results = append(results, background(fn))
		synctest.Wait() // each is queued before the next
	}
	close(release)
	must(t, <-holding)
	var errs []error
	for _, result := range results {
		errs = append(errs, <-result)
	}
	return errs
}

// TestFailedCommitLeaksNothing: a refresh that saw the end of its session in a batch that fails is not refused for it.
func TestFailedCommitLeaksNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, disk := mustOpenFaulty(t, nil)
		disk.drop = syscall.ENOSPC
		errs := mustBatch(t, s,
			func() error { _, err := endSession(s, "ann"); return err },
			func() error { return refreshFixture(s, "ann") },
			func() error { _, err := endSession(s, "ann"); return err },
		)
		for i, err := range errs {
			if !errors.Is(err, storage.ErrFull) || errors.Is(err, storage.ErrRevoked) {
				t.Errorf("function %d: got error %v, want %v", i, err, storage.ErrFull)
			}
		}
		disk.drop = nil
		time.Sleep(maxFullPause)
		must(t, refreshFixture(s, "ann"))
	})
}

// TestErrorOfAFailedJobFollowsFromDataOnDisk: a function that failed after it had written, because of what another
// one of its batch wrote, runs again when the batch has failed.
func TestErrorOfAFailedJobFollowsFromDataOnDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, disk := mustOpenFaulty(t, nil)
		disk.drop = syscall.ENOSPC
		ended := errors.New("ended")
		errs := mustBatch(t, s,
			func() error { _, err := endSession(s, "ann"); return err },
			func() error {
				return s.update(context.Background(), func(t *tx) error {
					t.put(meta, []byte("note"), []byte{1})
					if _, ok := t.sessionRecord("ann"); !ok {
						return ended
					}
					return nil
				})
			},
		)
		for i, err := range errs {
			if !errors.Is(err, storage.ErrFull) {
				t.Errorf("function %d: got error %v, want %v", i, err, storage.ErrFull)
			}
		}
	})
}

// TestHangingDiskIsAnsweredWithinFiveSeconds: writes and reads that depend on them get an error that leaves the outcome
// open, and what was written stands when the disk comes back.
func TestHangingDiskIsAnsweredWithinFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, disk := mustOpenFaulty(t, nil)
		disk.hang = make(chan struct{})
		began := time.Now()
		first := background(func() error { _, err := endSession(s, "ann"); return err })
		synctest.Wait()
		second := background(func() error { _, err := endSession(s, "bob"); return err })
		reading := background(func() error {
			_, err := s.SessionBySecret(context.Background(), storage.HashOf("ann"), fixtureStart)
			return err
		})
		for result, want := range map[chan error]error{first: errSlow, second: errNotTried, reading: errSlowRead} {
			if err := <-result; !errors.Is(err, storage.ErrUnavailable) || !errors.Is(err, want) {
				t.Errorf("got error %v, want %v", err, want)
			}
		}
		if took := time.Since(began); took >= 5*time.Second {
			t.Errorf("answered after %v", took)
		}
		close(disk.hang)
		must(t, s.Ready(context.Background()))
		if _, err := s.SessionBySecret(context.Background(), storage.HashOf("ann"), fixtureStart); !errors.Is(
			err,
			storage.ErrNotFound,
		) {
			t.Errorf("the write that was late: got error %v", err)
		}
		if _, err := s.SessionBySecret(context.Background(), storage.HashOf("bob"), fixtureStart); err != nil {
			t.Errorf("the write that was not tried: got error %v", err)
		}
		n, err := endSession(s, "ann")
		must(t, err)
		if n != 0 {
			t.Error("a repeated logout ended a session twice")
		}
	})
}

// TestFullDiskIsNotScannedForEachWrite: bbolt reads the whole file after each commit that fails. Where that takes long,
// the writes after it are refused without another attempt, and reads and no-ops go on.
func TestFullDiskIsNotScannedForEachWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, disk := mustOpenFaulty(t, nil)
		disk.drop, disk.delay = syscall.ENOSPC, 300*time.Millisecond
		for range 50 {
			if err := refreshFixture(s, "ann"); !errors.Is(err, storage.ErrFull) {
				t.Fatalf("got error %v", err)
			}
		}
		if got := disk.commits.Load(); got != 1 {
			t.Errorf("got %d attempts, want 1", got)
		}
		if n, err := endSession(s, "none"); err != nil || n != 0 {
			t.Errorf("a logout without a session: got %d and error %v", n, err)
		}
		disk.drop, disk.delay = nil, 0
		time.Sleep(maxFullPause)
		must(t, refreshFixture(s, "ann"))
	})
}

// TestFailedSyncStopsTheStoreUntilTheFileIsVerified: reads begin again when the file is in order, writes when the
// disk is, and each state has an error and a log line that say what to do.
func TestFailedSyncStopsTheStoreUntilTheFileIsVerified(t *testing.T) {
	var log strings.Builder
	synctest.Test(t, func(t *testing.T) {
		s, disk := mustOpenFaulty(t, slog.New(slog.NewTextHandler(&log, nil)))
		ctx := context.Background()
		otherData, noWrites := errors.New("other data"), errors.New("no writes")
		file, device := otherData, noWrites
		verified := 0
		must(t, s.update(ctx, func(*tx) error {
			s.committer.verify = func(string) error { verified++; return file }
			s.committer.testDisk = func(string) error { return device }
			return nil
		}))
		mustFail := func(got, want error) {
			t.Helper()
			if !errors.Is(got, storage.ErrUnavailable) || !errors.Is(got, syscall.EIO) || !errors.Is(got, want) ||
				!strings.Contains(got.Error(), "repair the disk") {
				t.Errorf("got error %v, want %v", got, want)
			}
		}
		read := func() error {
			_, err := s.SessionBySecret(ctx, storage.HashOf("bob"), fixtureStart)
			return err
		}

		disk.fail = syscall.EIO
		if _, err := endSession(s, "ann"); !errors.Is(err, storage.ErrUnavailable) || errors.Is(err, storage.ErrFull) {
			t.Errorf("got error %v", err)
		}
		disk.fail = nil
		for range 10 {
			mustFail(refreshFixture(s, "bob"), otherData)
			mustFail(read(), otherData)
		}
		if verified != 1 {
			t.Errorf("verified %d times within one pause", verified)
		}

		file = nil
		time.Sleep(recoveryPause)
		mustFail(s.Ready(ctx), noWrites)
		mustFail(refreshFixture(s, "bob"), noWrites)
		must(t, read())

		device = nil
		time.Sleep(recoveryPause)
		must(t, refreshFixture(s, "bob"))
		if verified != 2 {
			t.Errorf("verified %d times, want once more", verified)
		}
		if n, err := endSession(s, "ann"); err != nil || n != 0 {
			t.Errorf("the termination is on disk: got %d ended again and error %v", n, err)
		}
	})
	for _, line := range []string{"store stopped writing", `store cannot write again" path`, "other data", "no writes", "store writes again"} {
		if !strings.Contains(log.String(), line) {
			t.Errorf("want %q in the log:\n%s", line, log.String())
		}
	}
}

// TestDiskIsTestedWithAFile that is removed again.
func TestDiskIsTestedWithAFile(t *testing.T) {
	folder := t.TempDir()
	must(t, testDisk(filepath.Join(folder, "curfew.db.test")))
	if left, err := os.ReadDir(folder); err != nil || len(left) != 0 {
		t.Errorf("got %v left and error %v", left, err)
	}
	if err := testDisk(filepath.Join(folder, "none", "curfew.db.test")); err == nil {
		t.Error("a folder that is missing is in order")
	}
}

// TestOutcomeOfAFullDiskAtTheSyncIsUnknown: without room found only by the sync, the outcome is open.
func TestOutcomeOfAFullDiskAtTheSyncIsUnknown(t *testing.T) {
	s, disk := mustOpenFaulty(t, nil)
	disk.fail = syscall.ENOSPC
	if _, err := endSession(s, "ann"); !errors.Is(err, storage.ErrUnavailable) || errors.Is(err, storage.ErrFull) {
		t.Errorf("got error %v", err)
	}
	disk.fail = nil
	must(t, refreshFixture(s, "bob"))
}

// TestRemovedFileTakesNoWrites: the content of a removed file is lost when the process ends.
func TestRemovedFileTakesNoWrites(t *testing.T) {
	for name, remove := range map[string]func(t *testing.T, path string){
		"moved": func(t *testing.T, path string) { must(t, os.Rename(path, path+".aside")) },
		"replaced": func(t *testing.T, path string) {
			must(t, os.Rename(path, path+".aside"))
			must(t, os.WriteFile(path, nil, 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := mustOpenFaulty(t, nil)
			path := s.options.Path
			remove(t, path)
			_, err := endSession(s, "ann")
			if !errors.Is(err, storage.ErrUnavailable) || !strings.Contains(err.Error(), "/proc/") {
				t.Errorf("got error %v", err)
			}
			if err := s.Ready(t.Context()); !errors.Is(err, storage.ErrUnavailable) {
				t.Errorf("got ready %v", err)
			}
			_, err = s.SessionBySecret(t.Context(), storage.HashOf("ann"), fixtureStart)
			must(t, err)
			must(t, os.Rename(path+".aside", path))
			if n, err := endSession(s, "ann"); err != nil || n != 1 {
				t.Errorf("with the file back: got %d ended and error %v", n, err)
			}
		})
	}
}

// TestDamagedRecordSaysWhatToDo: the error comes at the start for records that are read then, and for other records
// when they are read.
func TestDamagedRecordSaysWhatToDo(t *testing.T) {
	path := mustUnpackFixture(t, Schema)
	hash := storage.HashOf("token-bound-ann")
	mustEdit(t, path, func(b *bbolt.Tx) error { return b.Bucket([]byte("tokens")).Put(hash[:], []byte("{")) })
	s := mustOpen(t, Options{Path: path})
	_, _, err := s.Token(t.Context(), hash, fixtureStart)
	if !errors.Is(err, errDamaged) || !strings.Contains(err.Error(), "tokens") ||
		!strings.Contains(err.Error(), "restore a backup") {
		t.Errorf("got error %v", err)
	}
	must(t, s.Close())
	mustEdit(t, path, func(b *bbolt.Tx) error {
		return b.Bucket([]byte("clients")).Put([]byte("app"), []byte(`{"secret_hash":"!"}`))
	})
	_, err = Open(Options{Path: path})
	if !errors.Is(err, errDamaged) || !strings.Contains(err.Error(), path) ||
		!strings.Contains(err.Error(), "restore a backup") {
		t.Errorf("got error %v", err)
	}
}
