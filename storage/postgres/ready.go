package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-id/curfew/storage"
)

// Ready implements storage.Store.
func (s *Store) Ready(ctx context.Context) error {
	n, err := write(ctx, s, func(t *tx) (n int64, err error) {
		t.wrote = true
		t.query(`UPDATE @state SET ready = ready + 1 RETURNING ready`, nil, func(rows pgx.Rows) error {
			return rows.Scan(&n)
		})
		return n, nil
	})
	if err != nil {
		return fmt.Errorf("readiness: %w", err)
	}
	_, err = read(ctx, s, func(t *tx) (struct{}, error) {
		var stored int64
		if !t.queryRow(`SELECT ready FROM @state`, nil, &stored) || stored < n {
			return struct{}{}, fmt.Errorf(
				"readiness: %w: the test record that was written is missing", storage.ErrUnavailable,
			)
		}
		return struct{}{}, nil
	})
	return err
}

// MaxClockSkew is how far the clocks of a replica and the database may differ.
const MaxClockSkew = 30 * time.Second

// CheckClock returns ErrUnavailable if at differs from the database's time by more than MaxClockSkew. A replica with
// such a clock would end sessions too early, or accept expired codes and tokens.
func (s *Store) CheckClock(ctx context.Context, at time.Time) error {
	_, err := read(ctx, s, func(t *tx) (struct{}, error) {
		var now int64
		t.queryRow(`SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint`, nil, &now)
		if skew := at.Sub(time.UnixMilli(now)); t.err == nil && skew.Abs() > MaxClockSkew {
			return struct{}{}, unavailable(fmt.Errorf(
				"the clock of this machine differs from the database's by %v, more than %v: correct it",
				skew.Round(time.Second), MaxClockSkew,
			))
		}
		return struct{}{}, nil
	})
	return err
}
