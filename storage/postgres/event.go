package postgres

import (
	"context"
	"math"
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
		from, err := strconv.ParseInt(after, 10, 64)
		isFirstPage := err != nil // after is empty, and from is 0
		sql := `SELECT sequence, record FROM @events WHERE sequence > $1 AND ($2 = '' OR subject = $2)
			ORDER BY sequence LIMIT $3`
		if f.Newest {
			sql = `SELECT sequence, record FROM @events WHERE sequence < $1 AND ($2 = '' OR subject = $2)
			ORDER BY sequence DESC LIMIT $3`
			if isFirstPage {
				from = math.MaxInt64
			}
		}
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

// matchesFilter reports whether a line passes the filter. A kind with a dot at its end, such as "session.", stands for
// all kinds that begin with it.
func matchesFilter(f storage.EventFilter, e storage.Event) bool {
	kindMatches := f.Kind == "" || e.Kind == f.Kind
	if strings.HasSuffix(f.Kind, ".") {
		kindMatches = strings.HasPrefix(e.Kind, f.Kind)
	}
	return kindMatches &&
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
	if current := t.store.auditKey.Load(); current != nil {
		key = *current
	}
	e.Chain(end.auditSequence, end.auditHash, key)
	end.auditSequence = e.Seq
	end.auditHash = e.Hash
	t.exec(
		`INSERT INTO @events (sequence, subject, record) VALUES ($1, $2, $3)`,
		int64(e.Seq), textColumn(e.Subject), t.encode(e),
	)
	return e.Seq
}

// textColumn returns text without NUL and invalid UTF-8, which a text column of PostgreSQL cannot store.
func textColumn(text string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "")
}
