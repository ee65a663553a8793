package bolt

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// TestMillionSessions fills a store with a million active sessions, each with one client session and its tokens, and
// reports how long opening it takes. It takes minutes, and its file is of use beyond it, so it runs only where
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
}
