package bolt

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/storage"
)

func TestFileIsForItsOwnerOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "curfew.db")
	for _, before := range []os.FileMode{0, 0o644} {
		if before != 0 {
			must(t, os.Chmod(path, before))
		}
		s, err := Open(Options{Path: path})
		must(t, err)
		info, err := os.Stat(path)
		must(t, err)
		if got := info.Mode().Perm(); got != 0o600 {
			t.Errorf("got mode %o, want 600", got)
		}
		must(t, s.Close())
	}
}

func TestSecondProcessIsRefusedWithAdvice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "curfew.db")
	first := mustOpen(t, Options{Path: path})
	_, err := Open(Options{Path: path, Timeout: time.Millisecond})
	if !errors.Is(err, storage.ErrLocked) || !strings.Contains(err.Error(), path) ||
		!strings.Contains(err.Error(), "stop that process") {
		t.Fatalf("got error %v", err)
	}
	must(t, first.PutUser(t.Context(), storage.User{Subject: "ann", Name: "ann"}))
	must(t, first.Close())
	second := mustOpen(t, Options{Path: path})
	_, err = second.User(t.Context(), "ann")
	must(t, err)
}

func TestFileThatIsNoStoreIsRefused(t *testing.T) {
	whole := mustCrash(t)
	cut := func(n int) []byte { return whole[:len(whole)-n] }
	zeroed := bytes.Clone(whole)
	clear(zeroed[:2*4096])
	for name, content := range map[string][]byte{
		"text":            []byte("issuer: https://id.example.org\n"),
		"long text":       bytes.Repeat([]byte("all work and no play\n"), 10000),
		"zeros":           make([]byte, 64<<10),
		"one byte":        {1},
		"cut short":       cut(4096 + 1),
		"half":            cut(len(whole) / 2),
		"no meta page":    zeroed,
		"only meta pages": whole[:2*4096],
	} {
		path := filepath.Join(t.TempDir(), "curfew.db")
		must(t, os.WriteFile(path, content, 0o600))
		_, err := Open(Options{Path: path})
		if !errors.Is(err, storage.ErrUnavailable) || !errors.Is(err, errDamaged) ||
			!strings.Contains(err.Error(), path) {
			t.Errorf("%s: got error %v", name, err)
		}
		if left, err := os.ReadFile(path); err != nil || !bytes.Equal(left, content) {
			t.Errorf("%s: the file was changed", name)
		}
	}
	if _, err := Open(Options{Path: t.TempDir()}); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("a folder: got error %v", err)
	}
	if _, err := Open(Options{Path: filepath.Join(t.TempDir(), "no", "such", "folder")}); !errors.Is(
		err,
		storage.ErrUnavailable,
	) {
		t.Errorf("no folder: got error %v", err)
	}
}

func TestOneDamagedMetaPageIsTolerated(t *testing.T) {
	whole := mustCrash(t)
	for page := range 2 {
		path := filepath.Join(t.TempDir(), "curfew.db")
		damaged := bytes.Clone(whole)
		clear(damaged[page*4096 : (page+1)*4096])
		must(t, os.WriteFile(path, damaged, 0o600))
		s := mustOpen(t, Options{Path: path})
		_, err := s.User(t.Context(), "user 0")
		must(t, err)
	}
}

// A damaged page gives an error at the latest when it is read, never a crash, and never keeps the file locked.
func TestDamagedPagesNeverCrash(t *testing.T) {
	crashed, closed := mustCrash(t), mustClose(t)
	const seed = 7
	random := rand.New(rand.NewPCG(seed, seed))
	refused := 0
	for round := range 300 {
		damaged := bytes.Clone(crashed)
		if round%3 == 0 {
			damaged = bytes.Clone(closed)
		}
		for range 1 + random.IntN(20) {
			at := 2*4096 + random.IntN(len(damaged)-2*4096)
			if round%2 == 0 {
				at = at/4096*4096 + random.IntN(64) // the head of a page, where its shape stands
			}
			damaged[at] = byte(random.Uint32())
		}
		path := filepath.Join(t.TempDir(), "curfew.db")
		must(t, os.WriteFile(path, damaged, 0o600))
		s, err := Open(Options{Path: path})
		if err != nil {
			// Damage may hit the schema's number, too.
			if !errors.Is(err, storage.ErrUnavailable) && !errors.Is(err, storage.ErrNewer) {
				t.Fatalf("round %d: got error %v", round, err)
			}
			refused++
			continue
		}
		readAll(context.Background(), s)
		_ = s.Close() // may fail as well
	}
	if refused == 0 {
		t.Error("nothing was refused")
	}
}

// readAll reads what there is and does not care what comes.
func readAll(ctx context.Context, s *Store) {
	at := time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)
	_, _, _ = s.ListUsers(ctx, storage.Page{Limit: 1000})
	_, _, _ = s.ListSessions(ctx, storage.Selector{AllUsers: true}, at, storage.Page{Limit: 1000})
	_, _, _ = s.ListEvents(ctx, storage.EventFilter{}, storage.Page{Limit: 1000})
	_, _ = s.CountTerminations(
		ctx,
		storage.Selection{Selector: storage.Selector{AllUsers: true, IncludeOffline: true}, At: at},
	)
	_, _, _ = s.Token(ctx, storage.HashOf("token"), at)
}

// mustClose is the content of a store that was closed properly.
func mustClose(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "curfew.db")
	s := mustFill(t, path)
	must(t, s.Close())
	content, err := os.ReadFile(path)
	must(t, err)
	return content
}

// mustCrash returns the content of a store whose process crashed.
func mustCrash(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "curfew.db")
	mustFill(t, path)
	content, err := os.ReadFile(path)
	must(t, err)
	h, ok := readMetaPage(bytes.NewReader(content), int64(len(content)))
	if !ok || h.freelist != noFreelist {
		t.Fatalf("got head %+v", h)
	}
	return content[:h.pageCount*h.pageSize]
}
