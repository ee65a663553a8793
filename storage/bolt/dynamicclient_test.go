package bolt

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/curfew-id/curfew/storage"
)

// TestStrangersCannotFillMemoryWithClients: anyone may register clients, so only a few of them are kept decoded.
func TestStrangersCannotFillMemoryWithClients(t *testing.T) {
	s := mustOpenIn(t, t.TempDir())
	const strangers = 3 * maxDecoded
	for i := range strangers {
		mustRegister(t, s, fmt.Sprintf("client-%d", i))
	}
	for range 2 {
		for i := range strangers {
			if _, err := s.Client(t.Context(), fmt.Sprintf("client-%d", i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if kept := len(s.decoded.records) + len(s.cache.Load().clients); kept > maxDecoded {
		t.Errorf("got %d clients in memory, want at most %d", kept, maxDecoded)
	}
}

// TestDynamicClientsOfAnOlderFileAreCounted: a file without the table dynamic_clients gets it when it is opened.
func TestDynamicClientsOfAnOlderFileAreCounted(t *testing.T) {
	folder := t.TempDir()
	s := mustOpenIn(t, folder)
	mustRegister(t, s, "own")
	want, err := s.DynamicClientUsage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	err = s.db.Load().Update(func(b *bbolt.Tx) error { return b.DeleteBucket([]byte(tableNames[dynamicClients])) })
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = mustOpenIn(t, folder)
	if got, err := s.DynamicClientUsage(t.Context()); err != nil || got != want || got.Clients != 1 {
		t.Errorf("got %+v (%v), want %+v", got, err, want)
	}
	if _, err := s.Client(t.Context(), "own"); err != nil {
		t.Error(err)
	}
}

func mustOpenIn(t *testing.T, folder string) *Store {
	t.Helper()
	s, err := Open(Options{Path: filepath.Join(folder, "curfew.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func mustRegister(t *testing.T, s *Store, id string) {
	t.Helper()
	c := storage.Client{Metadata: storage.Metadata{ClientID: id}, Dynamic: true}
	c.Created = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	if err := s.RegisterClient(t.Context(), c, storage.Hash{}, c.Created); err != nil {
		t.Fatal(err)
	}
}
