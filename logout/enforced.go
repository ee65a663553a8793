package logout

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// enforced.go computes the bounds of cached introspection responses. A resource server may cache a response that it got
// just before the commit of a logout. The bound therefore counts from the time of the commit, which is known only when
// the commit has returned.

// enforcedTimes records when bulk logouts that are under way took effect, by Cause.ID. It is safe for concurrent use.
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

// get returns when a bulk logout took effect. If that is not recorded, an earlier process began the bulk logout. get
// then records and returns knownBy, a time at which it had already taken effect.
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

// enforcedByCause returns enforcedBy for a termination by that cause. It returns zero for a client session that another
// bulk logout ended earlier: the time when that one took effect is not known here.
func enforcedByCause(termination storage.Termination, cause storage.Cause, enforcedBy time.Time) time.Time {
	if termination.Cause.ID != cause.ID {
		return time.Time{}
	}
	return enforcedBy
}

// tightenCachedBounds moves the bounds of cached introspection responses to an earlier time, in the store and in r. The
// introspection endpoint has reported the tokens as inactive since committedAt. It works in a goroutine of work.
func (t *Terminator) tightenCachedBounds(
	ctx context.Context,
	work *sync.WaitGroup,
	termination storage.Termination,
	r *storage.Report,
	committedAt time.Time,
) {
	isCacheBound := func(entry storage.ReportEntry) bool { return entry.BoundBy == BoundByIntrospectionCache }
	if !slices.ContainsFunc(r.Entries, isCacheBound) {
		return
	}
	tighterEntries := reportEntries(termination, t.Lifetimes, committedAt)
	tighten := func(r *storage.Report) {
		for _, tighter := range tighterEntries {
			entry := r.Entry(tighter.Kind, tighter.Client)
			if entry == nil || !isCacheBound(*entry) || !tighter.ExpiresAt.Before(entry.ExpiresAt) {
				continue
			}
			entry.Trust = tighter.Trust
			entry.ExpiresAt = tighter.ExpiresAt
			entry.BoundBy = tighter.BoundBy
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
