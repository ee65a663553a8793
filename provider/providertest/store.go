package providertest

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/storage/bolt"
)

// MustOpenStore opens an empty store in a temporary folder of the test. It is closed when the test ends.
func MustOpenStore(t testing.TB) *bolt.Store {
	t.Helper()
	return mustOpen(t, bolt.Options{Path: filepath.Join(t.TempDir(), "curfew.db")})
}

func mustOpen(t testing.TB, file bolt.Options) *bolt.Store {
	t.Helper()
	store, err := bolt.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

// MustLoadKeys makes the keys of a new provider, with a key file in a temporary folder. A nil now means time.Now.
func MustLoadKeys(
	t testing.TB,
	store *bolt.Store,
	issuer string,
	now func() time.Time,
	algorithms ...string,
) *keys.Ring {
	t.Helper()
	ring, err := keys.Load(t.Context(), keys.Config{
		Store:      store,
		File:       filepath.Join(t.TempDir(), "key"),
		Issuer:     issuer,
		Now:        now,
		Algorithms: algorithms,
	})
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// MustCreateSession creates a session in the store, without sign-in pages. edit may be nil; it changes the session
// before it is stored.
func MustCreateSession(
	t testing.TB,
	store *bolt.Store,
	subject string,
	now time.Time,
	edit func(*storage.Session),
) storage.Session {
	t.Helper()
	sequence, err := store.Sequence(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s := storage.Session{
		Sequence:    sequence,
		ID:          storage.SessionID(keys.Random()),
		SecretHash:  storage.HashOf(keys.Random()),
		Subject:     subject,
		AuthTime:    now,
		AMR:         []string{"pwd"},
		Created:     now,
		LastActive:  now,
		IdleTimeout: 8 * time.Hour,
		Expires:     now.Add(24 * time.Hour),
		UserAgent:   "test",
	}
	if edit != nil {
		edit(&s)
	}
	event := storage.Event{At: now, Kind: "session.created", Subject: subject}
	if err := store.CreateSession(t.Context(), s, event); err != nil {
		t.Fatal(err)
	}
	return s
}
