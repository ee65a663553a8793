package bolt

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/curfew-id/curfew/storage"
)

// ListKeys implements storage.Keys.
func (s *Store) ListKeys(ctx context.Context) ([]storage.Key, error) {
	return find(ctx, s, func(t *tx) ([]storage.Key, error) { return t.listKeys(), nil })
}

// listKeys lists all keys, oldest first.
func (t *tx) listKeys() (list []storage.Key) {
	for _, v := range t.scanPrefix(keys, nil) {
		if k, ok := decode[storage.Key](t, keys, v); ok {
			list = append(list, k)
		}
	}
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
		if !storage.SameKeys(t.listKeys(), read) {
			return fmt.Errorf("put keys: %w", storage.ErrChanged)
		}
		for _, k := range put {
			truncateTimes(&k.Created, &k.ActiveAt, &k.RetiredAt, &k.ArchivedAt, &k.RemovableAt)
			t.store(keys, []byte(k.ID), k)
		}
		for _, id := range remove {
			t.delete(keys, []byte(id))
		}
		t.appendEvents(e)
		return nil
	})
}
