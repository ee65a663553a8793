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
	bulkLogoutRetention = 24 * time.Hour // how long a finished mass ending is listed
	countPageSize       = 500            // sessions counted in one read transaction
)

// EndSessions implements storage.Endings.
func (s *Store) EndSessions(ctx context.Context, req storage.EndRequest, at time.Time, limit int,
	plan func(storage.Termination) storage.Plan) ([]storage.Termination, bool, error) {
	at = truncateToMillis(at)
	s.advanceClock(at)
	type result struct {
		ended []storage.Termination
		more  bool
	}
	out, err := write(ctx, s, func(t *tx) (result, error) {
		e := endSessionsTx{
			tx:        t,
			cause:     req.Cause,
			change:    req.Change,
			selection: selection{Selector: req.Selector, asOf: at, firstCall: true, offlineUsers: map[string]bool{}},
		}
		if err := e.begin(); err != nil {
			return result{}, fmt.Errorf("end sessions: %w", err)
		}
		e.read(limit)
		if t.err != nil {
			return result{}, t.err
		}
		e.write(plan, time.UnixMilli(s.latestTime.Load()).UTC())
		return result{e.terminations, e.more}, nil
	})
	if err != nil {
		return nil, false, err
	}
	return out.ended, out.more, nil
}

// CountTerminations implements storage.Endings. It reads a page at a time, so that no long transaction makes the file grow.
func (s *Store) CountTerminations(ctx context.Context, sel storage.Selector, at time.Time) (storage.TerminationCount, error) {
	var sum storage.TerminationCount
	e := endSessionsTx{selection: selection{Selector: sel, asOf: truncateToMillis(at), firstCall: true, offlineUsers: map[string]bool{}}}
	for more := true; more; {
		err := s.view(ctx, func(t *tx) error {
			e.tx, e.terminations, e.more = t, nil, false
			e.findOfflineUsers()
			e.readSessions(countPageSize)
			for _, end := range e.terminations {
				sum = addCounts(sum, countTermination(end, e.selection))
			}
			more = e.more
			return nil
		})
		if err != nil {
			return storage.TerminationCount{}, err
		}
	}
	var after []byte
	for more := e.IncludeOffline; more; {
		err := s.view(ctx, func(t *tx) error {
			more = false
			n := 0
			for k, g := range t.offlineGrantCandidates(e.selection, after) {
				if n++; n > countPageSize {
					more = true
					break
				}
				if after = slices.Clone(k); e.endsOfflineGrant(g) {
					sum.Grants++
				}
			}
			return nil
		})
		if err != nil {
			return storage.TerminationCount{}, err
		}
	}
	return sum, nil
}

// ListBulkLogouts implements storage.Endings.
func (s *Store) ListBulkLogouts(ctx context.Context) ([]storage.BulkLogout, error) {
	return read(ctx, s, func(t *tx) (list []storage.BulkLogout, err error) {
		for _, v := range t.scanPrefix(bulkLogouts, nil) {
			if bulk, ok := decode[bulkLogout](t, bulkLogouts, v); ok {
				list = append(list, bulk.BulkLogout)
			}
		}
		slices.SortStableFunc(list, func(a, b storage.BulkLogout) int {
			if a.Finished.IsZero() != b.Finished.IsZero() {
				if a.Finished.IsZero() {
					return -1
				}
				return 1
			}
			return cmp.Or(b.StartedAt.Compare(a.StartedAt), cmp.Compare(a.Cause.ID, b.Cause.ID))
		})
		return list, nil
	})
}

// endSessionsTx is one call of EndSessions on its way: begin checks, read collects what ends as it is before the change, write
// changes and removes.
type endSessionsTx struct {
	*tx
	selection
	cause         storage.Cause
	change        storage.Change
	bulkLogout    *bulkLogout // the mass ending that this call goes on with
	bulkLogoutKey string      // of a mass ending
	finished      bool        // that mass ending is finished: nothing is selected
	cursor        []byte      // how far the sessions have been read
	terminations  []storage.Termination
	more          bool
}

// begin checks the change and finds the mass ending that the call belongs to.
func (e *endSessionsTx) begin() (err error) {
	if err := e.checkChange(&e.change, e.asOf); err != nil {
		return err
	}
	if e.bulkLogoutKey, err = bulkLogoutKey(e.selection, e.cause); err != nil {
		return err
	}
	if stored, ok := load[bulkLogout](e.tx, bulkLogouts, []byte(e.bulkLogoutKey)); ok {
		e.bulkLogout, e.firstCall = stored.restore([]byte(e.bulkLogoutKey)), false
		e.finished, e.cursor, e.offlineUsers = !stored.Finished.IsZero(), stored.Cursor, e.bulkLogout.offlineUsers
		return nil
	}
	e.findOfflineUsers()
	return nil
}

// findOfflineUsers finds whose offline grants end where sessions are named by id.
func (e *endSessionsTx) findOfflineUsers() {
	if !e.IncludeOffline || len(e.offlineUsers) > 0 {
		return
	}
	for _, id := range e.Sessions {
		if session, ok := e.sessionRecord(id); ok && e.selectsSession(session) {
			e.offlineUsers[session.Subject] = true
		}
	}
}

// read collects what ends: up to limit sessions, or, when these are done, offline grants.
func (e *endSessionsTx) read(limit int) {
	if e.finished {
		return
	}
	e.readSessions(limit)
	if e.Grant != "" {
		if g, ok := e.grant(e.Grant); ok {
			e.terminations = append(e.terminations, e.grantTermination(g))
		}
		return
	}
	if e.more || !e.IncludeOffline {
		return
	}
	collected := map[string]bool{}
	for _, end := range e.terminations {
		for _, g := range end.Grants {
			collected[g.ID] = true
		}
	}
	for _, g := range e.offlineGrantCandidates(e.selection, nil) {
		if collected[g.ID] || !e.endsOfflineGrant(g) {
			continue
		}
		if limit > 0 && len(e.terminations) >= limit {
			e.more = true
			return
		}
		e.terminations = append(e.terminations, e.grantTermination(g))
	}
}

// readSessions collects up to limit sessions or shares of sessions that end.
func (e *endSessionsTx) readSessions(limit int) {
	for key, id := range e.sessionCandidates(e.selection, e.cursor) {
		session, ok := e.sessionRecord(id)
		if !ok || !e.selectsSession(session) {
			continue
		}
		whole := e.endsSession(session)
		session.ClientSessions = e.clientSessionsOf(id)
		if !whole {
			session.ClientSessions = slices.DeleteFunc(session.ClientSessions, func(cs storage.ClientSession) bool { return !e.endsClientSession(session, cs) })
			if len(session.ClientSessions) == 0 {
				continue
			}
		}
		session, revoked := e.splitRevoked(session)
		if limit > 0 && len(e.terminations) >= limit {
			e.more = true
			return
		}
		if e.cursor = slices.Clone(key); e.Expired {
			e.offlineUsers[session.Subject] = true
		}
		if whole || len(session.ClientSessions) > 0 {
			e.terminations = append(e.terminations, e.sessionTermination(session, whole))
		}
		e.terminations = append(e.terminations, revoked...)
	}
}
