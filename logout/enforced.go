package logout

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// enforced.go keeps the bounds of cached introspection answers true. A resource server may cache an answer that it
// got just before the commit of a logout, however long that commit took: the bound counts from the commit, which is
// known only when it has returned.

// enforcedTimes are when bulk logouts with more pages took effect, by cause. Safe for concurrent use.
type enforcedTimes struct {
	mu      sync.Mutex
	byCause map[string]time.Time
}

func (e *enforcedTimes) set(cause string, at time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.byCause == nil {
		e.byCause = map[string]time.Time{}
	}
	e.byCause[cause] = at
}

// get returns when that bulk logout took effect. If no one has set it, an earlier process began the bulk logout: then
// it is knownBy.
func (e *enforcedTimes) get(cause string, knownBy time.Time) time.Time {
	e.mu.Lock()
	at, ok := e.byCause[cause]
	e.mu.Unlock()
	if !ok {
		e.set(cause, knownBy)
		return knownBy
	}
	return at
}

func (e *enforcedTimes) forget(cause string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.byCause, cause)
}

// enforcedByCause returns enforcedBy for what ended by that cause. A client session that another bulk logout had
// already ended took effect with the first commit of that one.
func enforcedByCause(termination storage.Termination, cause storage.Cause, enforcedBy time.Time) time.Time {
	if termination.Cause.ID != cause.ID {
		return time.Time{}
	}
	return enforcedBy
}

// tightenCachedBounds brings the bounds of cached introspection answers nearer, in the store and in r: since
// committedAt the introspection endpoint answers that the tokens are not active.
func (t *Terminator) tightenCachedBounds(
	ctx context.Context,
	work *sync.WaitGroup,
	termination storage.Termination,
	r *storage.Report,
	committedAt time.Time,
) {
	if !slices.ContainsFunc(
		r.Entries,
		func(entry storage.ReportEntry) bool { return entry.BoundBy == BoundByIntrospectionCache },
	) {
		return
	}
	entries := reportEntries(termination, t.Lifetimes, committedAt)
	tighten := func(r *storage.Report) {
		for _, tighter := range entries {
			entry := r.Entry(tighter.Kind, tighter.Client)
			if entry != nil && entry.BoundBy == BoundByIntrospectionCache && tighter.ExpiresAt.Before(entry.ExpiresAt) {
				entry.Trust, entry.ExpiresAt, entry.BoundBy = tighter.Trust, tighter.ExpiresAt, tighter.BoundBy
			}
		}
	}
	id := r.ID
	work.Go(func() {
		if err := t.Store.UpdateReport(ctx, id, tighten); err != nil {
			t.log().ErrorContext(ctx, "bound of cached introspection answers not tightened", "report", id, "err", err)
			return
		}
		tighten(r)
	})
}
