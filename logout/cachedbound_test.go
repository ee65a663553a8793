package logout

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/curfew-id/curfew/storage"
)

const (
	cacheSeconds = 60
	slowCommit   = 5 * time.Second
)

// cachingClients begins n sessions of a client whose resource server caches introspection answers.
func (w *fixture) cachingClients(n int) {
	w.client("rp", storage.Metadata{IntrospectionCache: cacheSeconds})
	for i := range n {
		now := time.Now()
		id := w.session()
		w.join(id, "rp", storage.Issuance{
			Grant: storage.Grant{ID: fmt.Sprint("g", i), Session: id, Created: now, LastUsed: now},
			Trust: storage.TokenExpiry{Opaque: now.Add(time.Hour)},
			Tokens: []storage.Token{
				{Hash: storage.HashOf(fmt.Sprint("token", i)), Issued: now, Expires: now.Add(time.Hour)},
			},
		})
	}
	w.waitRenotifyDelay()
}

// introspectAll lets the resource server ask for all tokens and returns until when it uses the last answer that says
// active.
func (w *fixture) introspectAll(n int) (cachedUntil time.Time) {
	for i := range n {
		switch _, _, err := w.store.Token(w.t.Context(), storage.HashOf(fmt.Sprint("token", i)), time.Now()); {
		case err == nil:
			cachedUntil = time.Now().Add(cacheSeconds * time.Second)
		case !errors.Is(err, storage.ErrNotFound):
			w.t.Fatal(err)
		}
	}
	return cachedUntil
}

func (w *fixture) tokenEntries() (entries []storage.ReportEntry) {
	w.t.Helper()
	reports, _, err := w.store.ListReports(w.t.Context(), storage.ReportFilter{}, storage.Page{})
	w.must(err)
	for _, r := range reports {
		entries = append(entries, *r.Entry(KindAccessTokens, "rp"))
	}
	return entries
}

func TestBoundOfCachedAnswersCountsFromTheFirstCommitOnEveryPage(t *testing.T) {
	withFixture(t, func(t *testing.T, w *fixture) {
		const sessions = 5
		w.cachingClients(sessions)
		e := w.terminator(w.dispatcher())
		e.PageSize = 2
		var cachedUntil time.Time
		slow := &crashingStore{Store: w.store}
		slow.before = func() {
			time.Sleep(slowCommit)
			if until := w.introspectAll(sessions); !until.IsZero() {
				cachedUntil = until
			}
		}
		e.Store = slow
		w.end(e, storage.Selector{AllUsers: true})
		defer run(e.Run)()
		time.Sleep(time.Minute)
		entries := w.tokenEntries()
		if len(entries) != sessions {
			t.Fatalf("got %d reports, want %d", len(entries), sessions)
		}
		for _, entry := range entries {
			if slack := entry.ExpiresAt.Sub(cachedUntil); slack < 0 || slack > slowCommit {
				t.Errorf("got a bound %v after the last cached answer, want 0 to %v", slack, slowCommit)
			}
		}
	})
}

func TestBoundOfCachedAnswersHoldsWhenTheProcessStopsAfterTheCommit(t *testing.T) {
	withFixture(t, func(t *testing.T, w *fixture) {
		const sessions = 3
		w.cachingClients(sessions)
		e := w.terminator(w.dispatcher())
		e.PageSize = 1
		var cachedUntil time.Time
		store := &crashingStore{
			Store:  w.store,
			before: func() { time.Sleep(slowCommit); cachedUntil = w.introspectAll(sessions) },
		}
		store.pages.Store(1)
		e.Store = store
		w.end(e, storage.Selector{AllUsers: true})
		time.Sleep(10 * time.Second)
		next := w.terminator(w.dispatcher())
		next.PageSize = 1
		defer run(next.Run)()
		time.Sleep(time.Minute)
		entries := w.tokenEntries()
		if len(entries) != sessions {
			t.Fatalf("got %d reports, want %d", len(entries), sessions)
		}
		for _, entry := range entries {
			if entry.Trust != storage.TrustExpiring || entry.ExpiresAt.Before(cachedUntil) {
				t.Errorf("got %s until %v, want a bound not before %v", entry.Trust, entry.ExpiresAt, cachedUntil)
			}
		}
	})
}

func TestAnswersFromBeforeALoweredCacheStayBounded(t *testing.T) {
	withFixture(t, func(t *testing.T, w *fixture) {
		w.cachingClients(1)
		c, err := w.store.Client(t.Context(), "rp")
		w.must(err)
		cachedUntil := w.introspectAll(1)
		lowered, m := *c, c.Metadata
		m.IntrospectionCache = 0
		lowered.SetMetadata(m, time.Now())
		w.must(w.store.PutClient(t.Context(), lowered))
		time.Sleep(time.Second)
		w.end(w.terminator(w.dispatcher()), storage.Selector{Subject: "u"})
		if entry := w.tokenEntries()[0]; entry.ExpiresAt.Before(cachedUntil) ||
			entry.BoundBy != BoundByIntrospectionCache {
			t.Errorf(
				"got %s until %v by %s, want a bound not before %v",
				entry.Trust,
				entry.ExpiresAt,
				entry.BoundBy,
				cachedUntil,
			)
		}
	})
}
