package bolt

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// TestFailuresOfALargeFile reports how long a commit takes that finds no room, and how long the store needs until it
// writes again after a failed sync. Both grow with the file: bbolt searches it for free pages, and the store compares it
// with the disk. It runs only where CURFEW_LARGE_FILE names a copy of a curfew.db, such as the one of TestMillionSessions.
func TestFailuresOfALargeFile(t *testing.T) {
	path := os.Getenv("CURFEW_LARGE_FILE")
	if path == "" {
		t.Skip("needs a large store: set CURFEW_LARGE_FILE to a copy of a curfew.db, which the test changes")
	}
	info, err := os.Stat(path)
	must(t, err)
	commit, read := mustFindNoRoom(t, path)
	t.Logf("%d MB: a commit that finds no room takes %s; a read meanwhile %s at most", info.Size()>>20, commit, read)
	t.Logf("%d MB: after a failed sync the store writes again in %s", info.Size()>>20, mustRecoverFromFailedSync(t, path))
}

// mustFindNoRoom measures a commit for which the file may not grow. bbolt then searches the whole file for free pages.
func mustFindNoRoom(t *testing.T, path string) (took, read time.Duration) {
	t.Helper()
	info, err := os.Stat(path)
	must(t, err)
	s := mustOpen(t, Options{Path: path, MaxSize: int(info.Size())})
	big := storage.Event{Kind: strings.Repeat("x", 64<<20)}
	began := time.Now()
	result := background(func() error { return s.AppendEvents(t.Context(), big) })
	for settled := false; !settled; {
		select {
		case err := <-result:
			if !errors.Is(err, storage.ErrFull) && !errors.Is(err, errSlow) {
				t.Fatalf("got error %v, want %v", err, storage.ErrFull)
			}
			settled = true
		default:
			readBegan := time.Now()
			_, err := s.User(t.Context(), "user-1")
			if err != nil && !errors.Is(err, storage.ErrNotFound) {
				t.Fatal(err)
			}
			read = max(read, time.Since(readBegan))
		}
	}
	took = time.Since(began)
	must(t, s.Close())
	return took, read
}

// mustRecoverFromFailedSync measures how long the store stops writing after a sync that failed once.
func mustRecoverFromFailedSync(t *testing.T, path string) time.Duration {
	t.Helper()
	failed := false
	s := mustOpen(t, Options{Path: path, Disk: func(commit func() error) error {
		if err := commit(); err != nil || failed {
			return err
		}
		failed = true
		return syscall.EIO
	}})
	began := time.Now()
	for s.AppendEvents(t.Context(), storage.Event{Kind: "line"}) != nil {
		if time.Since(began) > 10*time.Minute {
			t.Fatal("the store has not written again after ten minutes")
		}
	}
	took := time.Since(began)
	must(t, s.Close())
	return took
}
