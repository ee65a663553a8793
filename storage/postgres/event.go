package postgres

import (
	"context"
	"math"
	"strconv"
	"strings"
	"time"

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

// RemoveEvents implements storage.Events.
func (s *Store) RemoveEvents(ctx context.Context, before, at time.Time, limit int) (int, error) {
	return write(ctx, s, func(t *tx) (int, error) {
		t.lockState()
		t.flush()
		list := t.oldEvents(before, limit)
		if len(list) == 0 {
			return 0, t.err
		}
		last := list[len(list)-1]
		removal := storage.Checkpoint{Seq: last.Seq, Hash: last.Hash, At: at}
		t.exec(`DELETE FROM @events WHERE sequence <= $1`, int64(last.Seq))
		t.exec(`UPDATE @state SET event_removal = $1`, removal.SignRemoval(t.auditKey()))
		return len(list), nil
	})
}

// oldEvents returns up to limit lines at the beginning of the trail that are older than before. The last line of the
// trail is not among them.
func (t *tx) oldEvents(before time.Time, limit int) (list []storage.Event) {
	oldest := queryRecords[storage.Event](t, `SELECT record FROM @events ORDER BY sequence LIMIT $1`, limit)
	for _, e := range oldest {
		if !e.At.Before(before) || e.Seq == t.state.auditSequence {
			break
		}
		list = append(list, e)
	}
	return list
}

// EventRemoval implements storage.Events.
func (s *Store) EventRemoval(ctx context.Context) (string, error) {
	return read(ctx, s, func(t *tx) (removal string, err error) {
		t.queryRow(`SELECT event_removal FROM @state`, nil, &removal)
		return removal, nil
	})
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
	e.Chain(end.auditSequence, end.auditHash, t.auditKey())
	end.auditSequence = e.Seq
	end.auditHash = e.Hash
	t.exec(
		`INSERT INTO @events (sequence, subject, record) VALUES ($1, $2, $3)`,
		int64(e.Seq), textColumn(e.Subject), t.encode(e),
	)
	if e.Notice != nil {
		t.addNotice(*e.Notice)
	}
	return e.Seq
}

// auditKey returns the key of the audit trail, nil if there is none.
func (t *tx) auditKey() storage.AuditKey {
	if key := t.store.auditKey.Load(); key != nil {
		return *key
	}
	return nil
}

// textColumn returns text without NUL and invalid UTF-8, which a text column of PostgreSQL cannot store.
func textColumn(text string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "")
}
