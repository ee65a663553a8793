package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-id/curfew/storage"
)

// ClientActivity implements storage.Clients.
func (s *Store) ClientActivity(ctx context.Context, id string) (storage.ClientActivity, error) {
	return read(ctx, s, func(t *tx) (storage.ClientActivity, error) {
		var activity storage.ClientActivity
		for _, found := range t.activities(`SELECT id, first_sign_in, refusal FROM @clients WHERE id = $1`, id) {
			activity = found
		}
		return activity, nil
	})
}

// PutRefusals implements storage.Clients.
func (s *Store) PutRefusals(ctx context.Context, refusals map[string]storage.ClientRefusal) error {
	return s.update(ctx, func(t *tx) error {
		ids := make([]string, 0, len(refusals))
		for id := range refusals {
			ids = append(ids, id)
		}
		// Locked in the order of their ids, so that two replicas do not wait for each other.
		stored := t.activities(
			`SELECT id, first_sign_in, refusal FROM @clients WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE`, ids)
		for id, before := range stored {
			if after, changed := before.WithRefusal(refusals[id]); changed {
				t.exec(`UPDATE @clients SET refusal = $2 WHERE id = $1`, id, t.encode(after.LastRefusal))
			}
		}
		return nil
	})
}

// activities runs a query that selects id, first_sign_in and refusal of clients. It returns them by client_id.
func (t *tx) activities(sql string, args ...any) map[string]storage.ClientActivity {
	found := map[string]storage.ClientActivity{}
	t.queueQuery(sql, args, func(rows pgx.Rows) error {
		var id string
		var firstSignIn *int64
		var refusal []byte
		if err := rows.Scan(&id, &firstSignIn, &refusal); err != nil {
			return err
		}
		var activity storage.ClientActivity
		if firstSignIn != nil {
			activity.FirstSignIn = time.UnixMilli(*firstSignIn).UTC()
		}
		if refusal != nil {
			activity.LastRefusal = decode[storage.ClientRefusal](t, refusal)
		}
		found[id] = activity
		return nil
	})
	t.flush()
	return found
}

// noteSignIn stores when a user signed in to the client for the first time.
func (t *tx) noteSignIn(client string, at time.Time) {
	t.exec(`UPDATE @clients SET first_sign_in = $2 WHERE id = $1 AND first_sign_in IS NULL`, client, millis(at))
}
