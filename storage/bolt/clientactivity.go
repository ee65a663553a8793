package bolt

import (
	"context"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// ClientActivity implements storage.Clients.
func (s *Store) ClientActivity(ctx context.Context, id string) (storage.ClientActivity, error) {
	return read(ctx, s, func(t *tx) (storage.ClientActivity, error) {
		activity, _ := load[storage.ClientActivity](t, clientActivity, []byte(id))
		return activity, nil
	})
}

// PutRefusals implements storage.Clients.
func (s *Store) PutRefusals(ctx context.Context, refusals map[string]storage.ClientRefusal) error {
	return s.update(ctx, func(t *tx) error {
		for id, refusal := range refusals {
			if t.client(id) == nil {
				continue
			}
			before, _ := load[storage.ClientActivity](t, clientActivity, []byte(id))
			if after, changed := before.WithRefusal(refusal); changed {
				t.store(clientActivity, []byte(id), after)
			}
		}
		return nil
	})
}

// noteSignIn stores when a user signed in to the client for the first time.
func (t *tx) noteSignIn(client string, at time.Time) {
	activity, _ := load[storage.ClientActivity](t, clientActivity, []byte(client))
	if activity.FirstSignIn.IsZero() {
		activity.FirstSignIn = truncateToMillis(at)
		t.store(clientActivity, []byte(client), activity)
	}
}
