package postgres

import (
	"cmp"
	"context"
	"slices"

	"github.com/curfew-id/curfew/storage"
)

// ListKeys implements storage.Keys.
func (s *Store) ListKeys(ctx context.Context) ([]storage.Key, error) {
	return read(ctx, s, func(t *tx) ([]storage.Key, error) {
		list := queryRecords[storage.Key](t, `SELECT record FROM @keys`)
		slices.SortFunc(list, func(a, b storage.Key) int {
			return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
		})
		return list, nil
	})
}

// PutKeys implements storage.Keys.
func (s *Store) PutKeys(ctx context.Context, put []storage.Key, remove []string, e ...storage.Event) error {
	return s.update(ctx, func(t *tx) error {
		t.lockState()
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
		t.flush()
		t.appendEvents(e)
		return nil
	})
}
