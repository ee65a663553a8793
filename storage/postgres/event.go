package postgres

import (
	"context"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-id/curfew/storage"
)

// SetAuditKey implements storage.Events.
func (s *Store) SetAuditKey(key storage.AuditKey) { s.auditKey.Store(&key) }

// AppendEvents implements storage.Events.
func (s *Store) AppendEvents(ctx context.Context, e ...storage.Event) error {
	return s.update(ctx, func(t *tx) error {
		t.lockState()
		t.flush()
		t.appendEvents(e)
		return nil
	})
}

// ListEvents implements storage.Events.
func (s *Store) ListEvents(
	ctx context.Context,
	f storage.EventFilter,
	p storage.Page,
) ([]storage.Event, string, error) {
	next := func(t *tx, after string, limit int) (chunk []item[storage.Event]) {
		comparison, direction := ">", ""
		if f.Newest {
			comparison, direction = "<", " DESC"
		}
		from, err := strconv.ParseInt(after, 10, 64)
		if err != nil && f.Newest {
			from = 1<<63 - 1
		}
		sql := `SELECT sequence, record FROM @events WHERE sequence ` + comparison + ` $1 AND ($2 = '' OR subject = $2)
			ORDER BY sequence` + direction + ` LIMIT $3`
		t.query(sql, []any{from, f.Subject, limit}, func(rows pgx.Rows) error {
			var sequence int64
			var value []byte
			err := rows.Scan(&sequence, &value)
			e := decode[storage.Event](t, value)
			chunk = append(chunk, item[storage.Event]{
				key:    strconv.FormatInt(sequence, 10),
				record: e,
				picked: matchesFilter(f, e),
			})
			return err
		})
		return chunk
	}
	return list(ctx, s, p, next)
}

// matchesFilter reports whether a line passes the filter.
func matchesFilter(f storage.EventFilter, e storage.Event) bool {
	return (f.Kind == "" || e.Kind == f.Kind || (strings.HasSuffix(f.Kind, ".") && strings.HasPrefix(e.Kind, f.Kind))) &&
		(f.Subject == "" || e.Subject == f.Subject) &&
		(f.Client == "" || e.Client == f.Client) &&
		(f.Session == "" || e.Session == f.Session) &&
		(f.Reason == "" || e.Reason == f.Reason) &&
		(f.Since.IsZero() || !e.At.Before(f.Since)) &&
		(f.Until.IsZero() || e.At.Before(f.Until))
}

// appendEvents adds lines to the trail, in order.
func (t *tx) appendEvents(list []storage.Event) {
	for _, e := range list {
		t.appendEvent(e)
	}
}

// appendEvent adds a line to the trail and returns its sequence number.
func (t *tx) appendEvent(e storage.Event) uint64 {
	end := t.changeState()
	var key storage.AuditKey
	if set := t.store.auditKey.Load(); set != nil {
		key = *set
	}
	e.Chain(end.auditSequence, end.auditHash, key)
	end.auditSequence, end.auditHash = e.Seq, e.Hash
	t.exec(
		`INSERT INTO @events (sequence, subject, record) VALUES ($1, $2, $3)`,
		int64(e.Seq), textColumn(e.Subject), t.encode(e),
	)
	return e.Seq
}

// textColumn returns a text as PostgreSQL can store it: a column has neither NUL nor broken UTF-8.
func textColumn(text string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "")
}
