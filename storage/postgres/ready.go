package postgres

import (
	"context"
	"fmt"

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
