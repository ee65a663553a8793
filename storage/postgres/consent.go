package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-id/curfew/storage"
)

// PutConsent implements storage.Consents.
func (s *Store) PutConsent(ctx context.Context, c storage.Consent) error {
	return s.update(ctx, func(t *tx) error {
		t.lockGates(gateOf(c.Subject))
		t.readState()
		var enabled bool
		var others int
		t.queryRow(
			`SELECT EXISTS (SELECT FROM @users WHERE subject = $1 AND enabled)
				AND EXISTS (SELECT FROM @clients WHERE id = $2 AND enabled),
				(SELECT count(*) FROM @consents WHERE subject = $1 AND client <> $2)`,
			[]any{c.Subject, c.Client}, &enabled, &others,
		)
		if !enabled {
			return fmt.Errorf("put consent: %w", storage.ErrRevoked)
		}
		if others >= storage.MaxConsents {
			return fmt.Errorf("put consent: %w", storage.ErrLimit)
		}
		c.At = truncate(c.At)
		c.Sequence = t.sequence()
		t.exec(
			`INSERT INTO @consents (subject, client, sequence, record) VALUES ($1, $2, $3, $4)
			ON CONFLICT (subject, client) DO UPDATE SET sequence = EXCLUDED.sequence, record = EXCLUDED.record`,
			c.Subject, c.Client, int64(c.Sequence), t.encode(c),
		)
		return nil
	})
}

// activeConsents selects the consents to existing clients. It excludes consents to a removed client whose id a later
// client has.
const activeConsents = `SELECT k.record FROM @consents k
	JOIN @clients c ON c.id = k.client AND k.sequence >= c.sequence WHERE k.subject = $1`

// Consent implements storage.Consents.
func (s *Store) Consent(ctx context.Context, subject, client string) (storage.Consent, error) {
	return read(ctx, s, func(t *tx) (storage.Consent, error) {
		var value []byte
		if !t.queryRow(activeConsents+` AND k.client = $2`, []any{subject, client}, &value) {
			return storage.Consent{}, fmt.Errorf("find consent: %w", storage.ErrNotFound)
		}
		return decode[storage.Consent](t, value), nil
	})
}

// ListConsents implements storage.Consents.
func (s *Store) ListConsents(ctx context.Context, subject string) ([]storage.Consent, error) {
	return read(ctx, s, func(t *tx) ([]storage.Consent, error) {
		return queryRecords[storage.Consent](t, activeConsents+` ORDER BY k.client`, subject), nil
	})
}

// queryRecords runs a query that selects only records, and returns them.
func queryRecords[T any](t *tx, sql string, args ...any) (list []T) {
	t.queueQuery(sql, args, collect(t, &list))
	t.flush()
	return list
}

// collect returns a scan function that appends the record of each row to list.
func collect[T any](t *tx, list *[]T) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		var value []byte
		err := rows.Scan(&value)
		*list = append(*list, decode[T](t, value))
		return err
	}
}
