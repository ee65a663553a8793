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

// bulkLogoutRetention is how long a finished bulk logout is listed.
const bulkLogoutRetention = 24 * time.Hour

// bulkLogout is the record of a bulk logout. While it is under way every read asks it which sessions it has ended,
// because they are still in the file.
type bulkLogout struct {
	storage.BulkLogout
	Before       storage.Sequence `json:"before"`                  // BulkLogout.Sequence
	OfflineUsers []string         `json:"offline_users,omitempty"` // Selection.OfflineUsers
	OfflineDone  int              `json:"offline_done,omitempty"`  // how many of Done.Grants are offline
	Cursor       []byte           `json:"cursor,omitempty"`        // how far its sessions have been removed
	key          string
	selection    storage.Selection
}

// bulkLogoutKey names a bulk logout by the arguments with which its callers call again.
func bulkLogoutKey(sel storage.Selector, cause storage.Cause, at time.Time) (string, error) {
	text, err := json.Marshal(sel)
	if err != nil {
		return "", fmt.Errorf("encode selector: %w", err)
	}
	sum := sha256.Sum256(fmt.Appendf(text, " %d", at.UnixMilli()))
	return string(joinKey(cause.ID, hex.EncodeToString(sum[:8]))), nil
}

// restore sets the fields that are not stored.
func (bulk *bulkLogout) restore(key string) *bulkLogout {
	bulk.key, bulk.Sequence = key, bulk.Before
	bulk.selection = storage.Selection{
		Selector:     bulk.Selector,
		Before:       bulk.Before,
		At:           bulk.StartedAt,
		OfflineUsers: map[string]bool{},
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

// putBulkLogout stores a bulk logout; the cache has those that are under way.
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

// grantRevoked reports whether a bulk logout under way has ended a grant, by itself or with the client session in
// which it was given.
func (t *tx) grantRevoked(g storage.Grant) bool {
	if len(t.cache.bulkLogouts) == 0 {
		return false
	}
	session, cs, joined := t.clientSessionBySID(g.SID)
	if !g.Offline() && !joined {
		return true
	}
	return slices.ContainsFunc(t.cache.bulkLogouts, func(bulk *bulkLogout) bool {
		return bulk.selection.EndsOfflineGrant(g) || joined && bulk.selection.EndsGrantWith(g, session, cs)
	})
}

// sidRevoked reports whether a client session was removed, or a bulk logout under way has ended it.
func (t *tx) sidRevoked(sid string) bool {
	if len(t.cache.bulkLogouts) == 0 {
		id := t.get(sessionsBySID, []byte(sid))
		return id == nil || t.get(sessions, joinKey(string(id), sid)) == nil
	}
	session, cs, ok := t.clientSessionBySID(sid)
	return !ok || t.sessionRevoked(session) || t.clientSessionRevoked(session, cs)
}

// clientSessionBySID finds the session and the client session of a sid.
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
