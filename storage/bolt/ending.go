package bolt

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/curfew-id/curfew/storage"
)

const (
	endingKeep = 24 * time.Hour // how long a finished mass ending is listed
	countPage  = 500            // sessions counted in one read transaction
)

// EndSessions implements storage.Endings.
func (s *Store) EndSessions(ctx context.Context, sel storage.Selector, cause storage.Cause, at time.Time, change storage.Change, limit int, plan func(storage.Ended) storage.Plan) ([]storage.Ended, bool, error) {
	at = milli(at)
	s.saw(at)
	type outcome struct {
		ended []storage.Ended
		more  bool
	}
	out, err := write(ctx, s, func(t *tx) (outcome, error) {
		e := ending{tx: t, cause: cause, selection: selection{Selector: sel, at: at, first: true, users: map[string]bool{}}, change: change}
		if err := e.begin(); err != nil {
			return outcome{}, fmt.Errorf("end sessions: %w", err)
		}
		e.read(limit)
		if t.err != nil {
			return outcome{}, t.err
		}
		e.write(plan, time.UnixMilli(s.clock.Load()).UTC())
		return outcome{e.ended, e.more}, nil
	})
	if err != nil {
		return nil, false, err
	}
	return out.ended, out.more, nil
}

// CountEndings implements storage.Endings. It reads a page at a time, so that no long transaction makes the file grow.
func (s *Store) CountEndings(ctx context.Context, sel storage.Selector, at time.Time) (storage.Count, error) {
	var sum storage.Count
	e := ending{selection: selection{Selector: sel, at: milli(at), first: true, users: map[string]bool{}}}
	for more := true; more; {
		err := s.view(ctx, func(t *tx) error {
			e.tx, e.ended, e.more = t, nil, false
			e.findUsers()
			e.readSessions(countPage)
			for _, ended := range e.ended {
				sum = add(sum, count(ended, e.selection))
			}
			more = e.more
			return nil
		})
		if err != nil {
			return storage.Count{}, err
		}
	}
	var after []byte
	for more := e.Offline; more; {
		err := s.view(ctx, func(t *tx) error {
			more = false
			n := 0
			for k, g := range t.offlineCandidates(e.selection, after) {
				if n++; n > countPage {
					more = true
					break
				}
				if after = slices.Clone(k); e.endsOffline(g) {
					sum.Grants++
				}
			}
			return nil
		})
		if err != nil {
			return storage.Count{}, err
		}
	}
	return sum, nil
}

// ListEndings implements storage.Endings.
func (s *Store) ListEndings(ctx context.Context) ([]storage.Ending, error) {
	return read(ctx, s, func(t *tx) (list []storage.Ending, err error) {
		for _, v := range t.prefix(endings, nil) {
			if m, ok := decode[mass](t, endings, v); ok {
				list = append(list, m.Ending)
			}
		}
		slices.SortStableFunc(list, func(a, b storage.Ending) int {
			if a.Finished.IsZero() != b.Finished.IsZero() {
				if a.Finished.IsZero() {
					return -1
				}
				return 1
			}
			return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.Cause.ID, b.Cause.ID))
		})
		return list, nil
	})
}

// ending is one call of EndSessions on its way: begin checks, read collects what ends as it is before the change, write
// changes and removes.
type ending struct {
	*tx
	selection
	cause  storage.Cause
	change storage.Change
	mass   *mass  // the mass ending that this call goes on with
	key    string // of a mass ending
	over   bool   // that mass ending is finished: nothing is selected
	cursor []byte // how far the sessions have been read
	ended  []storage.Ended
	more   bool
}

// begin checks the change and finds the mass ending that the call belongs to.
func (e *ending) begin() (err error) {
	if err := e.checkChange(&e.change, e.at); err != nil {
		return err
	}
	if e.key, err = massKey(e.selection, e.cause); err != nil {
		return err
	}
	if known, ok := load[mass](e.tx, endings, []byte(e.key)); ok {
		e.mass, e.first = known.prepare([]byte(e.key)), false
		e.over, e.cursor, e.users = !known.Finished.IsZero(), known.Cursor, e.mass.users
		return nil
	}
	e.findUsers()
	return nil
}

// findUsers finds whose offline grants end where sessions are named by id.
func (e *ending) findUsers() {
	if !e.Offline || len(e.users) > 0 {
		return
	}
	for _, id := range e.Sessions {
		if n, ok := e.sessionRecord(id); ok && e.takesSession(n) {
			e.users[n.Subject] = true
		}
	}
}

// read collects what ends: up to limit sessions, or, when these are done, offline grants.
func (e *ending) read(limit int) {
	if e.over {
		return
	}
	e.readSessions(limit)
	if e.Grant != "" {
		if g, ok := e.grant(e.Grant); ok {
			e.ended = append(e.ended, e.endedGrant(g))
		}
		return
	}
	if e.more || !e.Offline {
		return
	}
	gone := map[string]bool{}
	for _, ended := range e.ended {
		for _, g := range ended.Grants {
			gone[g.ID] = true
		}
	}
	for _, g := range e.offlineCandidates(e.selection, nil) {
		if gone[g.ID] || !e.endsOffline(g) {
			continue
		}
		if limit > 0 && len(e.ended) >= limit {
			e.more = true
			return
		}
		e.ended = append(e.ended, e.endedGrant(g))
	}
}

// readSessions collects up to limit sessions or shares of sessions that end.
func (e *ending) readSessions(limit int) {
	for key, id := range e.candidates(e.selection, e.cursor) {
		n, ok := e.sessionRecord(id)
		if !ok || !e.takesSession(n) {
			continue
		}
		whole := e.endsSession(n)
		n.Members = e.membersOf(id)
		if !whole {
			n.Members = slices.DeleteFunc(n.Members, func(m storage.Member) bool { return !e.endsMember(n, m) })
			if len(n.Members) == 0 {
				continue
			}
		}
		n, dead := e.deadShares(n)
		if limit > 0 && len(e.ended) >= limit {
			e.more = true
			return
		}
		if e.cursor = slices.Clone(key); e.Overdue {
			e.users[n.Subject] = true
		}
		if whole || len(n.Members) > 0 {
			e.ended = append(e.ended, e.endedSession(n, whole))
		}
		e.ended = append(e.ended, dead...)
	}
}
