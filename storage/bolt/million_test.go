package bolt

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// TestMillionSessions fills a store with a million active sessions, each with one client session and its tokens, and
// reports how long opening it takes, how long a commit that finds no room, and how long the store needs until it writes
// again after a failed sync. It takes minutes, and its file is of use beyond it, so it runs only where
// CURFEW_MILLION names a folder to put curfew.db in.
func TestMillionSessions(t *testing.T) {
	folder := os.Getenv("CURFEW_MILLION")
	if folder == "" {
		t.Skip("takes minutes and two gigabytes: set CURFEW_MILLION to an empty folder")
	}
	const million, users, apps = 1_000_000, 100_000, 100
	path := filepath.Join(folder, "curfew.db")
	s := mustOpen(t, Options{Path: path})
	now := time.Now()
	for i := range apps {
		must(
			t,
			s.PutClient(
				t.Context(),
				storage.Client{
					Metadata: storage.Metadata{
						ClientID:             fmt.Sprint("app", i),
						BackchannelLogoutURI: "https://app.example/logout",
					},
					Created: now,
				},
			),
		)
	}
	var next atomic.Int64
	var all sync.WaitGroup
	fill := func(n int64, do func(i int64) error) {
		next.Store(0)
		for range 256 {
			all.Go(func() {
				for i := next.Add(1); i <= n && !t.Failed(); i = next.Add(1) {
					if err := do(i); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
	}
	user := func(i int64) string { return fmt.Sprint("user-", i%users) }
	fill(users, func(i int64) error {
		return s.PutUser(
			t.Context(),
			storage.User{Subject: user(i), Name: user(i), Email: user(i) + "@example.org", Created: now},
		)
	})
	fill(million, func(i int64) error {
		id := storage.HashOf(fmt.Sprint("session", i)).String()
		err := s.CreateSession(t.Context(), storage.Session{
			ID:          storage.SessionID(id),
			SecretHash:  storage.HashOf(id),
			Subject:     user(i),
			AuthTime:    now,
			AMR:         []string{"pwd"},
			Created:     now,
			LastActive:  now,
			IdleTimeout: 8 * time.Hour,
			Expires:     now.Add(24 * time.Hour),
			UserAgent:   "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
			Address:     "192.0.2.1",
		}, storage.Event{At: now, Kind: "session.created", Subject: user(i)})
		if err != nil {
			return err
		}
		code := storage.Code{
			ID:      "code" + id,
			Client:  fmt.Sprint("app", i%apps),
			Subject: user(i),
			Session: storage.SessionID(id),
			SID:     "sid" + id,
			Issued:  now,
			Expires: now.Add(time.Hour),
		}
		_, err = s.Redeem(
			t.Context(),
			code,
			now,
			func(session storage.Session, m storage.ClientSession) (storage.Issuance, error) {
				return storage.Issuance{
					Grant: storage.Grant{
						ID:          "grant" + id,
						Scope:       []string{"openid", "profile"},
						AuthTime:    now,
						Created:     now,
						LastUsed:    now,
						Expires:     session.Expires,
						RefreshHash: storage.HashOf("refresh" + id),
					},
					Tokens: []storage.Token{
						{
							Hash:    storage.HashOf("token" + id),
							SID:     m.SID,
							Scope:   []string{"openid", "profile"},
							Issued:  now,
							Expires: now.Add(time.Hour),
						},
					},
					Trust: storage.TokenExpiry{
						Opaque:      now.Add(time.Hour),
						IDToken:     now.Add(10 * time.Minute),
						LastIDToken: now,
					},
				}, nil
			},
		)
		return err
	})
	must(t, s.Close())
	begun := time.Now()
	s = mustOpen(t, Options{Path: path})
	took := time.Since(begun)
	n, err := s.CountSessions(t.Context())
	must(t, err)
	if n != million {
		t.Errorf("got %d sessions, want %d", n, million)
	}
	info, err := os.Stat(path)
	must(t, err)
	t.Logf("opened %d sessions, %d MB, in %s", n, info.Size()>>20, took)
	must(t, s.Close())
	commit, read := mustFindNoRoom(t, path)
	t.Logf("a commit that finds no room takes %s; a read meanwhile %s at most", commit, read)
	t.Logf("after a failed sync the store writes again in %s", mustRecoverFromFailedSync(t, path))
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
			must(t, err)
			read = max(read, time.Since(readBegan))
		}
	}
	must(t, s.Close()) // waits for the committer
	return time.Since(began), read
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
	must(t, s.Close())
	return time.Since(began)
}
