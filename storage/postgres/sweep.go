package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-id/curfew/storage"
)

// Sweep implements storage.Store. Replicas may sweep at the same time: each skips records that another one is removing.
func (s *Store) Sweep(ctx context.Context, at time.Time, limit int) (int, error) {
	at = truncate(at)
	s.observeTime(at)
	grants, err := writeWithin(ctx, s, bulkTimeout, func(t *tx) (int, error) { return t.sweepGrants(limit, at), nil })
	if err != nil {
		return 0, fmt.Errorf("sweep: %w", err)
	}
	others, err := writeWithin(ctx, s, bulkTimeout, func(t *tx) (int, error) {
		return t.sweepRecords(max(limit-grants, 0), at), nil
	})
	if err != nil {
		return grants, fmt.Errorf("sweep: %w", err)
	}
	return grants + others, nil
}

// sweepGrants removes up to limit grants that have expired. It finds them without locks, locks the gates of their
// users, and then checks again whether they have expired.
func (t *tx) sweepGrants(limit int, at time.Time) int {
	left := t.sweepEndedSessions(limit)
	limit -= left
	var ids []string
	t.query(`SELECT id FROM @grants WHERE deadline <= $1 ORDER BY deadline LIMIT $2`, []any{millis(at), limit},
		scanTexts(&ids))
	if len(ids) == 0 {
		return left
	}
	t.lock(
		`SELECT n FROM @gates WHERE n IN (SELECT gate FROM @grants WHERE id = ANY($1)) ORDER BY n FOR UPDATE`,
		ids,
	)
	var expired, sids []string
	expiry := map[string]storage.TokenExpiry{}
	for _, g := range queryRecords[storage.Grant](t, `SELECT record FROM @grants WHERE id = ANY($1)`, ids) {
		if g.UnexpiredAt(at) {
			continue
		}
		expired = append(expired, g.ID)
		if g.Offline() {
			extended := expiry[g.SID]
			extended.Extend(g.Trust)
			expiry[g.SID] = extended
			sids = append(sids, g.SID)
		}
	}
	t.removeGrants(expired)
	t.extendClientSessions(sids, expiry)
	return left + len(expired)
}

// sweepEndedSessions removes up to limit grants that a termination has left, because there were too many of them. They
// are revoked already: their client sessions have ended.
func (t *tx) sweepEndedSessions(limit int) int {
	const left = `@ended_sessions e JOIN @grants g ON g.session = e.id
		WHERE NOT EXISTS (SELECT FROM @client_sessions c WHERE c.sid = g.sid)`
	var sessions, ids []string
	t.query(`SELECT id FROM @ended_sessions FOR UPDATE SKIP LOCKED`, nil, scanTexts(&sessions))
	if len(sessions) == 0 {
		return 0
	}
	t.query(`SELECT g.id FROM `+left+` AND e.id = ANY($1) LIMIT $2`, []any{sessions, limit}, scanTexts(&ids))
	t.removeGrants(ids)
	if len(ids) < limit {
		t.exec(`DELETE FROM @ended_sessions WHERE id = ANY($1)`, sessions)
	}
	return len(ids)
}

// scanTexts returns a scan function that appends the text of each row to list.
func scanTexts(list *[]string) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		var text string
		err := rows.Scan(&text)
		*list = append(*list, text)
		return err
	}
}

// simpleSweeps remove records on which no other record depends. $1 is the time, $2 the maximum number of records.
var simpleSweeps = []string{
	deleteOldest(`@tokens`, `hash`, `expires <= $1`, `expires`),
	deleteOldest(`@refresh_tokens`, `hash`, `expires <= $1`, `expires`),
	deleteOldest(`@one_time_links`, `hash`, `expires <= $1`, `expires`),
	deleteOldest(`@mails`, `id`, `keep_until <= $1`, `keep_until`),
	deleteOldest(`@reports`, `id`, `delete_after <= $1`, `delete_after`),
	deleteOldest(
		`@deliveries`, `id`, `keep_until <= $1 AND NOT (state = 'pending' AND give_up > $1)`, `keep_until`,
	),
	deleteOldest(
		`@refresh_tokens`, `hash`, `grant_id IN (SELECT id FROM @ended_grants) AND $1::bigint IS NOT NULL`, `hash`,
	),
	deleteOldest(
		`@ended_grants`, `id`,
		`NOT EXISTS (SELECT FROM @refresh_tokens r WHERE r.grant_id = ended_grants.id) AND $1::bigint IS NOT NULL`,
		`id`,
	),
}

// deleteOldest returns a statement that deletes the first $2 records for which condition holds. It skips records that
// another transaction has locked. The keys are read into an array: PostgreSQL may run a subquery of IN more than once,
// each time past the rows that are locked already, and would delete more than the limit.
func deleteOldest(table, key, condition, order string) string {
	return `DELETE FROM ` + table + ` WHERE ` + key + ` = ANY(ARRAY(SELECT ` + key + ` FROM ` + table +
		` WHERE ` + condition + ` ORDER BY ` + order + ` LIMIT $2 FOR UPDATE SKIP LOCKED)) RETURNING 1`
}

// sweepRecords removes up to limit records of all other kinds.
func (t *tx) sweepRecords(limit int, at time.Time) (deleted int) {
	remove := func(sql string, args ...any) (n int) {
		t.query(sql, append(args, max(limit-deleted, 0)), func(pgx.Rows) error {
			n++
			return nil
		})
		deleted += n
		return n
	}
	t.wrote = true
	for _, sql := range simpleSweeps {
		remove(sql, millis(at))
	}
	remove(
		deleteOldest(`@host_health`, `host`, `at <= $1`, `at`), millis(at.Add(-storage.HostHealthLifetime)),
	)
	remove(
		deleteOldest(`@bulk_logouts`, `key`, `finished <= $1`, `finished`), millis(at.Add(-bulkLogoutRetention)),
	)
	t.exec(`DELETE FROM @transactions WHERE at < now() - interval '1 hour'`)
	// The following deletions change the sweep history in the row of state. The row is locked first, so that another
	// transaction does not overwrite the change.
	t.lockState()
	t.flush()
	removedUses := remove(deleteOldest(`@used_ids`, `id`, `expires <= $1`, `expires`), millis(at)) > 0
	if h := t.state.swept; removedUses || at.Before(h.LastDeletion) {
		t.changeState().swept = h.AddUses(at, removedUses)
	}
	if remove(deleteOldest(`@used_codes`, `id`, `expires <= $1`, `expires`), millis(at)) > 0 {
		before := t.nextSequence()
		t.changeState().swept = t.state.swept.AddCodes(at, before)
	}
	if t.err == nil {
		deleted += t.sweepCutoffs(max(limit-deleted, 0), at)
	}
	return deleted
}
