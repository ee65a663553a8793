package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/curfew-id/curfew/storage"
)

// ListKeys implements storage.Keys.
func (s *Store) ListKeys(ctx context.Context) ([]storage.Key, error) {
	return read(ctx, s, func(t *tx) ([]storage.Key, error) { return t.listKeys(), nil })
}

// listKeys lists all keys, oldest first.
func (t *tx) listKeys() []storage.Key {
	list := queryRecords[storage.Key](t, `SELECT record FROM @keys`)
	slices.SortFunc(list, func(a, b storage.Key) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	return list
}

// PutKeys implements storage.Keys.
func (s *Store) PutKeys(
	ctx context.Context, read, put []storage.Key, remove []string, e ...storage.Event,
) error {
	return s.update(ctx, func(t *tx) error {
		t.lockState() // one change of the keys at a time
		if !storage.SameKeys(t.listKeys(), read) {
			return fmt.Errorf("put keys: %w", storage.ErrChanged)
		}
		for _, k := range put {
			truncateAll(&k.Created, &k.ActiveAt, &k.RetiredAt, &k.ArchivedAt, &k.RemovableAt)
			t.exec(
				`INSERT INTO @keys (id, record) VALUES ($1, $2)
				ON CONFLICT (id) DO UPDATE SET record = EXCLUDED.record`,
				k.ID, t.encode(k),
			)
		}
		if len(remove) > 0 {
			t.exec(`DELETE FROM @keys WHERE id = ANY($1)`, remove)
		}
		t.appendEvents(e)
		return nil
	})
}
