package bolt

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/curfew-id/curfew/storage"
)

// mustSnapshot returns the file of a snapshot.
func mustSnapshot(t *testing.T, s *Store) (content []byte, snapshot Snapshot) {
	t.Helper()
	var b bytes.Buffer
	err := s.Snapshot(t.Context(), func(found Snapshot) error {
		snapshot = found
		_, err := found.WriteTo(&b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), snapshot
}

func TestSnapshotIsAStoreAsOfOneMoment(t *testing.T) {
	s, err := Open(Options{Path: filepath.Join(t.TempDir(), "curfew.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	put := func(name string) {
		t.Helper()
		u := storage.User{Subject: name, Name: name}
		if err := s.PutUser(t.Context(), u, storage.Event{Kind: "user.created"}); err != nil {
			t.Fatal(err)
		}
	}
	put("ann")
	path := filepath.Join(t.TempDir(), "copy.db")
	err = s.Snapshot(t.Context(), func(snapshot Snapshot) error {
		put("bob") // a write during the snapshot is not part of it
		if snapshot.LastEvent.Seq != 1 || snapshot.StoreID == "" {
			t.Errorf("got %+v, want the line of ann and an ID", snapshot)
		}
		f, err := os.Create(path)
		if err != nil {
			return err
		}
		n, err := snapshot.WriteTo(f)
		if n != snapshot.Size {
			t.Errorf("got %d bytes, want the %d of Size", n, snapshot.Size)
		}
		return errors.Join(err, f.Close())
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := Verify(path)
	if err != nil || c.Counts["users"] != 1 || c.Counts["audit lines"] != 1 || c.Schema != Schema {
		t.Errorf("got %+v and %v, want ann alone", c, err)
	}
	if _, err := Verify(s.options.Path); !errors.Is(err, storage.ErrLocked) {
		t.Errorf("got %v for the store in use, want ErrLocked", err)
	}
}

func TestVerifyFindsDamage(t *testing.T) {
	s, err := Open(Options{Path: filepath.Join(t.TempDir(), "curfew.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.PutUser(t.Context(), storage.User{Subject: "ann", Name: "ann"}); err != nil {
		t.Fatal(err)
	}
	whole, _ := mustSnapshot(t, s)
	path := filepath.Join(t.TempDir(), "copy.db")
	for name, content := range map[string][]byte{
		"cut short":  whole[:len(whole)-1],
		"other file": []byte("not a store"),
		"empty":      nil,
	} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if c, err := Verify(path); err == nil {
			t.Errorf("%s: got %+v, want an error", name, c)
		}
	}
}

func TestSnapshotDoesNotStopTheStoreThatGrows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "curfew.db")
	s, err := Open(Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	fill := func(prefix string) {
		t.Helper()
		picture := strings.Repeat("x", 1<<20)
		for i := range 20 {
			name := prefix + strconv.Itoa(i)
			u := storage.User{Subject: name, Name: name, Claims: map[string]any{"picture": picture}}
			if err := s.PutUser(t.Context(), u); err != nil {
				t.Fatal(err)
			}
		}
	}
	fill("before")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(Options{Path: path}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = s.Snapshot(t.Context(), func(snapshot Snapshot) error {
		fill("meanwhile") // the file grows past the size at which it was mapped
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
