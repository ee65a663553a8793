package postgres

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-id/curfew/storage"
)

// bulkLogoutRetention is how long a finished bulk logout is listed.
const bulkLogoutRetention = 24 * time.Hour

// bulkLogout is the record of a bulk logout. An unfinished bulk logout has ended sessions whose records are still in
// the database, so every read must check its selection.
type bulkLogout struct {
	storage.BulkLogout
	Key          string           `json:"key"`
	Before       storage.Sequence `json:"before"`                  // BulkLogout.Sequence
	OfflineUsers []string         `json:"offline_users,omitempty"` // Selection.OfflineUsers
	NotAdmitted  []string         `json:"not_admitted,omitempty"`  // Selection.NotAdmitted
	OfflineDone  int              `json:"offline_done,omitempty"`  // number of offline grants in Done.Grants
	Cursor       string           `json:"cursor,omitempty"`        // key of the last session that was removed
	// RemovedClients were removed before the bulk logout was finished. Its later calls still notify them.
	RemovedClients []storage.Client `json:"removed_clients,omitempty"`
	selection      storage.Selection
}

// removedClient finds a client in RemovedClients. It returns nil if the client is not there.
func (bulk *bulkLogout) removedClient(id string) *storage.Client {
	for i := range bulk.RemovedClients {
		if c := &bulk.RemovedClients[i]; c.ClientID == id {
			return c
		}
	}
	return nil
}

// bulkLogoutKey returns the key of a bulk logout. The caller of EndSessions repeats the call with the same arguments,
// so all calls for one bulk logout have the same key.
func bulkLogoutKey(sel storage.Selector, cause storage.Cause, at time.Time) (string, error) {
	text, err := json.Marshal(sel)
	if err != nil {
		return "", fmt.Errorf("encode selector: %w", err)
	}
	sum := sha256.Sum256(fmt.Appendf(text, " %d", at.UnixMilli()))
	return textColumn(cause.ID) + " " + hex.EncodeToString(sum[:8]), nil
}

// decodeBulkLogout decodes a bulk logout and sets the fields that are not stored.
func decodeBulkLogout(t *tx, value []byte) *bulkLogout {
	bulk := decode[bulkLogout](t, value)
	return bulk.restore()
}

// restore sets the fields that are not stored and returns bulk.
func (bulk *bulkLogout) restore() *bulkLogout {
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

// bulkLogout finds a bulk logout. It returns nil if there is none.
func (t *tx) bulkLogout(key string) *bulkLogout {
	var value []byte
	if !t.queryRow(`SELECT record FROM @bulk_logouts WHERE key = $1`, []any{key}, &value) {
		return nil
	}
	return decodeBulkLogout(t, value)
}

// putBulkLogout stores a bulk logout.
func (t *tx) putBulkLogout(bulk *bulkLogout) {
	var finished *int64
	if !bulk.Finished.IsZero() {
		at := millis(bulk.Finished)
		finished = &at
	}
	t.exec(
		`INSERT INTO @bulk_logouts (key, finished, record) VALUES ($1, $2, $3)
		ON CONFLICT (key) DO UPDATE SET finished = EXCLUDED.finished, record = EXCLUDED.record`,
		bulk.Key, finished, t.encode(bulk),
	)
}

// ListBulkLogouts implements storage.Terminations.
func (s *Store) ListBulkLogouts(ctx context.Context) ([]storage.BulkLogout, error) {
	return read(ctx, s, func(t *tx) (list []storage.BulkLogout, err error) {
		t.query(`SELECT record FROM @bulk_logouts`, nil, func(rows pgx.Rows) error {
			var value []byte
			err := rows.Scan(&value)
			list = append(list, decodeBulkLogout(t, value).BulkLogout)
			return err
		})
		slices.SortStableFunc(list, func(a, b storage.BulkLogout) int {
			aUnfinished, bUnfinished := a.Finished.IsZero(), b.Finished.IsZero()
			switch {
			case aUnfinished && !bUnfinished:
				return -1
			case bUnfinished && !aUnfinished:
				return 1
			}
			return cmp.Or(b.StartedAt.Compare(a.StartedAt), cmp.Compare(a.Cause.ID, b.Cause.ID))
		})
		return list, nil
	})
}

// unfinishedColumn is the SQL expression for the unfinished bulk logouts.
const unfinishedColumn = `ARRAY(SELECT b.record FROM @bulk_logouts b WHERE b.finished IS NULL ORDER BY b.key)`

// unfinishedBulkLogouts are the unfinished bulk logouts.
type unfinishedBulkLogouts []*bulkLogout

func decodeUnfinished(t *tx, values [][]byte) (list unfinishedBulkLogouts) {
	for _, value := range values {
		list = append(list, decodeBulkLogout(t, value))
	}
	return list
}

// activeSession returns a session with its active client sessions. ok is false if the session has expired or a bulk
// logout has ended it.
func (u unfinishedBulkLogouts) activeSession(session storage.Session, at time.Time) (active storage.Session, ok bool) {
	if !u.sessionActive(session, at) {
		return storage.Session{}, false
	}
	session.ClientSessions = slices.DeleteFunc(
		session.ClientSessions,
		func(cs storage.ClientSession) bool { return u.clientSessionRevoked(session, cs) },
	)
	return session, true
}

// sessionActive reports whether a session exists, has not expired, and was not ended by a bulk logout.
func (u unfinishedBulkLogouts) sessionActive(session storage.Session, at time.Time) bool {
	return session.ID != "" && at.Before(session.Deadline()) && !u.sessionRevoked(session)
}

// sessionRevoked reports whether a bulk logout has ended a session.
func (u unfinishedBulkLogouts) sessionRevoked(session storage.Session) bool {
	return slices.ContainsFunc(u, func(bulk *bulkLogout) bool { return bulk.selection.EndsSession(session) })
}

// clientSessionRevoked reports whether a bulk logout has ended a client session.
func (u unfinishedBulkLogouts) clientSessionRevoked(session storage.Session, cs storage.ClientSession) bool {
	return slices.ContainsFunc(u, func(bulk *bulkLogout) bool { return bulk.selection.EndsClientSession(session, cs) })
}

// grantRevoked reports whether a bulk logout has ended a grant, by itself or with the client session in which the user
// granted it.
func (u unfinishedBulkLogouts) grantRevoked(g storage.Grant, given clientSessionRecords) bool {
	return slices.ContainsFunc(u, func(bulk *bulkLogout) bool {
		if bulk.selection.EndsOfflineGrant(g) {
			return true
		}
		return given.found && bulk.selection.EndsGrantWith(g, given.session, given.clientSession)
	})
}
