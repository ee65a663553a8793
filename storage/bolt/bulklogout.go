package bolt

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// bulkLogoutRetention is how long the store lists a finished bulk logout.
const bulkLogoutRetention = 24 * time.Hour

// bulkLogout is the record of a bulk logout. While the bulk logout is under way, sessions that it has ended are still
// in the file. Every read therefore checks its selection.
type bulkLogout struct {
	storage.BulkLogout
	Before       storage.Sequence `json:"before"`                  // BulkLogout.Sequence
	OfflineUsers []string         `json:"offline_users,omitempty"` // Selection.OfflineUsers
	NotAdmitted  []string         `json:"not_admitted,omitempty"`  // Selection.NotAdmitted
	OfflineDone  int              `json:"offline_done,omitempty"`  // number of offline grants in Done.Grants
	Cursor       []byte           `json:"cursor,omitempty"`        // key of the last session that was removed
	// RemovedClients were removed while the bulk logout was under way. Its later pages still notify them.
	RemovedClients []storage.Client `json:"removed_clients,omitempty"`
	key            string
	selection      storage.Selection
}

// bulkLogoutKey returns the key of a bulk logout. It is made of the arguments that all calls of one bulk logout repeat.
func bulkLogoutKey(sel storage.Selector, cause storage.Cause, at time.Time) (string, error) {
	text, err := json.Marshal(sel)
	if err != nil {
		return "", fmt.Errorf("encode selector: %w", err)
	}
	sum := sha256.Sum256(fmt.Appendf(text, " %d", at.UnixMilli()))
	const sumLength = 8 // enough to distinguish the terminations of one cause
	return string(joinKey(cause.ID, hex.EncodeToString(sum[:sumLength]))), nil
}

// restore sets the fields that are not stored.
func (bulk *bulkLogout) restore(key string) *bulkLogout {
	bulk.key = key
	bulk.Sequence = bulk.Before
	bulk.selection = storage.Selection{
		Selector:     bulk.Selector,
		Before:       bulk.Before,
		At:           bulk.StartedAt,
		OfflineUsers: map[string]bool{},
		NotAdmitted:  map[string]bool{},
	}
	for _, name := range bulk.NotAdmitted {
		bulk.selection.NotAdmitted[name] = true
	}
	for _, subject := range bulk.OfflineUsers {
		bulk.selection.OfflineUsers[subject] = true
	}
	return bulk
}

// findBulkLogout reads a bulk logout.
func (t *tx) findBulkLogout(key string) (*bulkLogout, bool) {
	bulk, ok := load[bulkLogout](t, bulkLogouts, []byte(key))
	if !ok {
		return nil, false
	}
	return bulk.restore(key), true
}

// removedClient returns a client as it was when it was removed; nil if it was not removed while the bulk logout was
// under way.
func (bulk *bulkLogout) removedClient(id string) *storage.Client {
	for i := range bulk.RemovedClients {
		if c := &bulk.RemovedClients[i]; c.ClientID == id {
			return c
		}
	}
	return nil
}

// keepRemovedClient keeps a client that is about to be removed in the bulk logouts that are under way.
func (t *tx) keepRemovedClient(c storage.Client) {
	for _, bulk := range slices.Clone(t.cache.bulkLogouts) {
		if bulk.removedClient(c.ClientID) != nil {
			continue // c is a later client with the same id
		}
		next := *bulk
		next.RemovedClients = append(slices.Clone(bulk.RemovedClients), c)
		t.putBulkLogout(next.restore(bulk.key))
	}
}

// putBulkLogout stores a bulk logout. While it is under way, putBulkLogout also puts it into the cache.
func (t *tx) putBulkLogout(bulk *bulkLogout) {
	t.store(bulkLogouts, []byte(bulk.key), bulk)
	next := t.changeCache()
	next.bulkLogouts = slices.DeleteFunc(
		next.bulkLogouts,
		func(other *bulkLogout) bool { return other.key == bulk.key },
	)
	if bulk.Finished.IsZero() {
		next.bulkLogouts = append(next.bulkLogouts, bulk)
	}
}

// ListBulkLogouts implements storage.Terminations.
func (s *Store) ListBulkLogouts(ctx context.Context) ([]storage.BulkLogout, error) {
	return read(ctx, s, func(t *tx) (list []storage.BulkLogout, err error) {
		for k, v := range t.scanPrefix(bulkLogouts, nil) {
			if bulk, ok := decode[bulkLogout](t, bulkLogouts, v); ok {
				list = append(list, bulk.restore(string(k)).BulkLogout)
			}
		}
		slices.SortStableFunc(list, compareBulkLogouts)
		return list, nil
	})
}

// compareBulkLogouts sorts unfinished bulk logouts first, and otherwise the newest first.
func compareBulkLogouts(a, b storage.BulkLogout) int {
	switch aUnfinished, bUnfinished := a.Finished.IsZero(), b.Finished.IsZero(); {
	case aUnfinished && !bUnfinished:
		return -1
	case bUnfinished && !aUnfinished:
		return 1
	}
	return cmp.Or(b.StartedAt.Compare(a.StartedAt), cmp.Compare(a.Cause.ID, b.Cause.ID))
}

// sessionRevoked reports whether a bulk logout under way has ended a session.
func (t *tx) sessionRevoked(session storage.Session) bool {
	return slices.ContainsFunc(
		t.cache.bulkLogouts,
		func(bulk *bulkLogout) bool { return bulk.selection.EndsSession(session) },
	)
}

// clientSessionRevoked reports whether a bulk logout under way has ended a client session.
func (t *tx) clientSessionRevoked(session storage.Session, cs storage.ClientSession) bool {
	return slices.ContainsFunc(
		t.cache.bulkLogouts,
		func(bulk *bulkLogout) bool { return bulk.selection.EndsClientSession(session, cs) },
	)
}

// grantRevoked reports whether a bulk logout under way has ended a grant, alone or with its client session.
func (t *tx) grantRevoked(g storage.Grant) bool {
	if len(t.cache.bulkLogouts) == 0 {
		return false
	}
	session, cs, hasClientSession := t.clientSessionBySID(g.SID)
	if !g.Offline() && !hasClientSession {
		return true
	}
	return slices.ContainsFunc(t.cache.bulkLogouts, func(bulk *bulkLogout) bool {
		if bulk.selection.EndsOfflineGrant(g) {
			return true
		}
		return hasClientSession && bulk.selection.EndsGrantWith(g, session, cs)
	})
}

// sidRevoked reports whether the client session of a sid was removed, or a bulk logout under way has ended it.
func (t *tx) sidRevoked(sid string) bool {
	if len(t.cache.bulkLogouts) == 0 {
		id := t.get(sessionsBySID, []byte(sid))
		return id == nil || t.get(sessions, joinKey(string(id), sid)) == nil
	}
	session, cs, ok := t.clientSessionBySID(sid)
	return !ok || t.sessionRevoked(session) || t.clientSessionRevoked(session, cs)
}

// clientSessionBySID finds the client session of a sid, and its session. It does not check whether they are active.
func (t *tx) clientSessionBySID(sid string) (session storage.Session, cs storage.ClientSession, ok bool) {
	id := storage.SessionID(t.get(sessionsBySID, []byte(sid)))
	if id == "" {
		return session, cs, false
	}
	if session, ok = t.sessionRecord(id); ok {
		cs, ok = load[storage.ClientSession](t, sessions, joinKey(string(id), sid))
	}
	return session, cs, ok
}
