package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-id/curfew/storage"
)

// epochChunk is how many records of factors one transaction of BeginEpoch changes.
const epochChunk = 500

// BeginEpoch implements storage.Epochs.
func (s *Store) BeginEpoch(ctx context.Context, at time.Time, e ...storage.Event) error {
	at = truncate(at)
	_, err := writeWithin(ctx, s, bulkTimeout, func(t *tx) (struct{}, error) {
		t.exec(`DELETE FROM @one_time_links`)
		t.exec(`DELETE FROM @initial_access_tokens`)
		t.exec(`DELETE FROM @consents`)
		next := t.changeState()
		next.sequence = next.sequence.NextEpoch(at)
		next.swept = next.swept.BeginEpoch(at, next.sequence)
		t.appendEvents(e)
		return struct{}{}, nil
	})
	if err != nil {
		return fmt.Errorf("begin an epoch: %w", err)
	}
	for last, more := "", true; more; {
		subjects, err := writeWithin(ctx, s, bulkTimeout, func(t *tx) ([]string, error) {
			return t.beginEpochOfFactors(last, at), nil
		})
		if err != nil {
			return fmt.Errorf("begin an epoch: reset factors: %w", err)
		}
		if more = len(subjects) == epochChunk; more {
			last = subjects[len(subjects)-1]
		}
	}
	return nil
}

// beginEpochOfFactors changes the factors of the users that follow a subject, and returns their subjects.
func (t *tx) beginEpochOfFactors(after string, at time.Time) (subjects []string) {
	var changed []storage.Factors
	t.query(
		`SELECT record FROM @factors WHERE subject > $1 ORDER BY subject LIMIT $2 FOR UPDATE`,
		[]any{after, epochChunk},
		func(rows pgx.Rows) error {
			var value []byte
			err := rows.Scan(&value)
			changed = append(changed, decode[storage.Factors](t, value))
			return err
		},
	)
	for _, f := range changed {
		f.BeginEpoch(at)
		t.putFactors(f)
		subjects = append(subjects, f.Subject)
	}
	return subjects
}
