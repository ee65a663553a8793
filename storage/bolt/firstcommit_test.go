package bolt

import (
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/curfew-id/curfew/storage"
)

// firstCommit is what the first transaction of a bulk logout costs.
type firstCommit struct {
	commits uint64
	pages   int64  // that bbolt wrote
	allocs  uint64 // in memory, during the call
	took    time.Duration
}

// measureFirstCommit fills a store with that many sessions of one client and ends all of them, as logout does: the
// first transaction ends ten sessions.
func measureFirstCommit(t *testing.T, sessions int) (cost firstCommit) {
	t.Helper()
	ctx := t.Context()
	s := mustOpen(t, Options{Path: filepath.Join(t.TempDir(), "curfew.db")})
	must(t, s.PutClient(ctx, storage.Client{Metadata: storage.Metadata{ClientID: "app"}}))
	must(t, s.PutUser(ctx, storage.User{Subject: "ann", Name: "ann"}))
	next := make(chan string, sessions)
	for i := range sessions {
		next <- fmt.Sprint("s", i)
	}
	close(next)
	var fill sync.WaitGroup
	for range 2 * batchLength {
		fill.Go(func() {
			for id := range next {
				session := fixtureSession(id, "ann")
				err := s.CreateSession(ctx, session, storage.Event{})
				if err == nil {
					_, err = redeemFixture(t, s, fixtureCode(id, "app", session), false)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	fill.Wait()
	must(t, s.update(ctx, func(*tx) error {
		s.committer.commitTx = func(b *bbolt.Tx) error {
			err := b.Commit()
			stats := b.Stats()
			cost.pages += stats.GetPageCount()
			return err
		}
		return nil
	}))
	const firstPageSize = 10
	request := storage.EndRequest{Selector: storage.Selector{AllUsers: true}, Cause: storage.Cause{ID: "cause"}}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	commits, began := s.Commits(), time.Now()
	terminations, more, err := s.EndSessions(ctx, request, fixtureStart, firstPageSize, fixturePlan)
	cost.took, cost.commits = time.Since(began), s.Commits()-commits
	runtime.ReadMemStats(&after)
	must(t, err)
	if len(terminations) != firstPageSize || !more {
		t.Fatalf("got %d sessions on the first page, more %v", len(terminations), more)
	}
	cost.allocs = after.Mallocs - before.Mallocs
	for id := range sessions {
		if _, err := s.SessionBySecret(ctx, storage.HashOf(fmt.Sprint("s", id)), fixtureStart); err == nil {
			t.Fatalf("session %d is active after the first transaction", id)
		}
	}
	return cost
}

// TestFirstCommitOfABulkLogoutCostsTheSameAtAnySize: the bulk logout is in force after one transaction, which reads and
// writes as much with twenty times as many sessions. How long it takes is printed only: that depends on the machine.
func TestFirstCommitOfABulkLogoutCostsTheSameAtAnySize(t *testing.T) {
	few := measureFirstCommit(t, 300)
	many := measureFirstCommit(t, 6_000)
	t.Logf("300 sessions: %+v; 6,000 sessions: %+v", few, many)
	if few.commits != 1 || many.commits != 1 {
		t.Errorf("got %d and %d commits, want 1", few.commits, many.commits)
	}
	// The tree of pages is higher, and its pages are fuller.
	if many.pages > 3*few.pages || many.allocs > 3*few.allocs {
		t.Errorf("got %+v with 6,000 sessions, want three times %+v at most", many, few)
	}
}
