package bolt

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// mustFill is a store with some users, each with a session.
func mustFill(t *testing.T, path string) *Store {
	t.Helper()
	s := mustOpen(t, Options{Path: path})
	at := time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)
	for i := range 60 {
		sub := fmt.Sprint("user ", i)
		must(t, s.PutUser(t.Context(), storage.User{Subject: sub, Name: sub}))
		must(t, s.CreateSession(t.Context(), storage.Session{
			ID:          storage.SessionID(sub),
			SecretHash:  storage.HashOf(sub),
			Subject:     sub,
			Created:     at,
			LastActive:  at,
			IdleTimeout: time.Hour,
			Expires:     at.Add(time.Hour),
		}, storage.Event{At: at, Kind: "session.created", Subject: sub}))
	}
	return s
}

func TestFullStoreRefusesWritesAndLosesNothing(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "curfew.db")
	s := mustOpen(t, Options{Path: path, MaxSize: 512 << 10})
	must(t, s.PutClient(ctx, storage.Client{Metadata: storage.Metadata{ClientID: "app"}}))
	filler := strings.Repeat("x", 8<<10)
	var kept []string
	var full error
	for i := 0; full == nil; i++ {
		sub := fmt.Sprint("user ", i)
		if full = s.PutUser(ctx, storage.User{Subject: sub, Name: sub, Password: filler}); full == nil {
			kept = append(kept, sub)
		}
	}
	if !errors.Is(full, storage.ErrFull) {
		t.Fatalf("got error %v, want %v", full, storage.ErrFull)
	}
	if len(kept) < 10 {
		t.Fatalf("full after %d users", len(kept))
	}
	check := func() {
		t.Helper()
		for _, sub := range kept {
			u, err := s.User(ctx, sub)
			must(t, err)
			if u.Password != filler {
				t.Fatalf("%s lost something", sub)
			}
		}
		if _, err := s.User(ctx, fmt.Sprint("user ", len(kept))); !errors.Is(err, storage.ErrNotFound) {
			t.Fatalf("the refused user: got error %v", err)
		}
	}
	check()

	// What is kept in memory is not ahead of the file.
	big := storage.Client{Metadata: storage.Metadata{ClientID: "big", LogoURI: strings.Repeat("y", 256<<10)}}
	if err := s.PutClient(ctx, big); !errors.Is(err, storage.ErrFull) {
		t.Fatalf("got error %v", err)
	}
	if _, err := s.Client(ctx, "big"); !errors.Is(err, storage.ErrNotFound) {
		t.Fatalf("the refused client: got error %v", err)
	}
	if _, err := s.Client(ctx, "app"); err != nil {
		t.Fatal(err)
	}
	must(t, s.Close())

	s = mustOpen(t, Options{Path: path, MaxSize: 4 << 20})
	check()
	must(t, s.Ready(ctx))
	must(t, s.PutUser(ctx, storage.User{Subject: "more", Name: "more", Password: filler}))
}

func TestReadinessShowsAFullStore(t *testing.T) {
	s := mustOpen(t, Options{Path: filepath.Join(t.TempDir(), "curfew.db"), MaxSize: 256 << 10})
	ready := s.Ready(t.Context())
	must(t, ready)
	for i := 0; ready == nil && i < 10_000; i++ {
		_ = s.AppendEvents(t.Context(), storage.Event{Kind: strings.Repeat("x", 1000/(1+i/1000))})
		ready = s.Ready(t.Context())
	}
	if !errors.Is(ready, storage.ErrFull) {
		t.Fatalf("got error %v, want %v", ready, storage.ErrFull)
	}
	_, _, err := s.ListEvents(t.Context(), storage.EventFilter{Newest: true}, storage.Page{})
	must(t, err)
}

// TestFullDiskIsNoticedBeforeTheCommit: a commit that fails for lack of room costs a search of the whole file. So none
// is tried while the disk is full, and the first write after there is room again succeeds.
func TestFullDiskIsNoticedBeforeTheCommit(t *testing.T) {
	s, disk := mustOpenFaulty(t, nil)
	room := true
	must(t, s.update(t.Context(), func(*tx) error {
		s.committer.hasRoom = func(string) bool { return room }
		return nil
	}))
	line := storage.Event{Kind: "line"}
	must(t, s.AppendEvents(t.Context(), line))
	before := disk.commits.Load()
	room = false
	if err := s.AppendEvents(t.Context(), line); !errors.Is(err, storage.ErrFull) {
		t.Errorf("got error %v, want %v", err, storage.ErrFull)
	}
	if err := s.Ready(t.Context()); !errors.Is(err, storage.ErrFull) {
		t.Errorf("got error %v from Ready, want %v", err, storage.ErrFull)
	}
	if tried := disk.commits.Load() - before; tried > 0 {
		t.Errorf("got %d commits tried on a full disk, want none", tried)
	}
	if _, err := s.Session(t.Context(), "ann", fixtureStart); err != nil {
		t.Errorf("a read: got error %v", err)
	}
	room = true
	must(t, s.AppendEvents(t.Context(), line))
	must(t, s.Ready(t.Context()))
}

func TestFullDiskIsDistinguishedFromABrokenOne(t *testing.T) {
	for _, c := range []struct{ err, want error }{
		{fmt.Errorf("write: %w", syscall.ENOSPC), storage.ErrFull},
		{fmt.Errorf("file resize error: %s", syscall.ENOSPC), storage.ErrFull}, // as bbolt says it when it grows the file
		{syscall.EDQUOT, storage.ErrFull},
		{syscall.EIO, storage.ErrUnavailable},
	} {
		got := commitError(c.err)
		if !errors.Is(got, c.want) || errors.Is(got, storage.ErrFull) != (c.want == storage.ErrFull) {
			t.Errorf("%v: got %v, want %v", c.err, got, c.want)
		}
	}
}
