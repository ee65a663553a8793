package bolt

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// PutLink implements storage.Links.
func (s *Store) PutLink(ctx context.Context, l storage.Link, e storage.Event) error {
	return s.update(ctx, func(t *tx) error {
		l.Created, l.Expires = milli(l.Created), milli(l.Expires)
		of := join(l.Subject, l.Purpose)
		if older := t.get(userLinks, of); older != nil {
			t.delete(links, older)
		}
		t.store(links, l.Hash[:], l)
		t.put(userLinks, of, l.Hash[:])
		t.expire(l.Expires, expiryLink, l.Hash[:])
		t.appendEvent(e)
		return nil
	})
}

// Link implements storage.Links.
func (s *Store) Link(ctx context.Context, hash storage.Hash, at time.Time) (storage.Link, error) {
	return read(ctx, s, func(t *tx) (storage.Link, error) {
		l, ok := t.link(hash, at)
		if !ok {
			return l, fmt.Errorf("find link: %w", storage.ErrNotFound)
		}
		return l, nil
	})
}

// link finds an unused, unexpired link.
func (t *tx) link(hash storage.Hash, at time.Time) (storage.Link, bool) {
	l, ok := load[storage.Link](t, links, hash[:])
	if !ok || !at.Before(l.Expires) {
		return storage.Link{}, false
	}
	return l, true
}

// removeLink removes a link that was used or is past its time.
func (t *tx) removeLink(l storage.Link) {
	t.delete(links, l.Hash[:])
	of := join(l.Subject, l.Purpose)
	if string(t.get(userLinks, of)) == string(l.Hash[:]) {
		t.delete(userLinks, of)
	}
}

// removeLinks removes all links of a user.
func (t *tx) removeLinks(subject string) {
	var gone []storage.Link
	for _, hash := range t.prefix(userLinks, within(subject)) {
		if l, ok := load[storage.Link](t, links, hash); ok {
			gone = append(gone, l)
		}
	}
	for _, l := range gone {
		t.removeLink(l)
	}
}

// PutInitialToken implements storage.InitialTokens.
func (s *Store) PutInitialToken(ctx context.Context, i storage.InitialToken, e ...storage.Event) error {
	return s.update(ctx, func(t *tx) error {
		i.Created, i.Expires = milli(i.Created), milli(i.Expires)
		t.store(initialTokens, i.Hash[:], i)
		t.appendEvents(e)
		return nil
	})
}

// InitialToken implements storage.InitialTokens.
func (s *Store) InitialToken(ctx context.Context, hash storage.Hash, at time.Time) (storage.InitialToken, error) {
	return read(ctx, s, func(t *tx) (storage.InitialToken, error) {
		i, ok := t.initialToken(hash, at)
		if !ok {
			return i, fmt.Errorf("find initial access token: %w", storage.ErrNotFound)
		}
		return i, nil
	})
}

// ListInitialTokens implements storage.InitialTokens.
func (s *Store) ListInitialTokens(ctx context.Context) ([]storage.InitialToken, error) {
	return read(ctx, s, func(t *tx) ([]storage.InitialToken, error) { return t.initialTokens(), nil })
}

// DeleteInitialToken implements storage.InitialTokens.
func (s *Store) DeleteInitialToken(ctx context.Context, name string, e ...storage.Event) error {
	return s.update(ctx, func(t *tx) error {
		found := false
		for _, i := range t.initialTokens() {
			if i.Name == name {
				t.delete(initialTokens, i.Hash[:])
				found = true
			}
		}
		if !found {
			return fmt.Errorf("delete initial access token: %w", storage.ErrNotFound)
		}
		t.appendEvents(e)
		return nil
	})
}

// initialToken finds a usable one.
func (t *tx) initialToken(hash storage.Hash, at time.Time) (storage.InitialToken, bool) {
	i, ok := load[storage.InitialToken](t, initialTokens, hash[:])
	if !ok || i.Uses == 0 || (!i.Expires.IsZero() && !at.Before(i.Expires)) {
		return storage.InitialToken{}, false
	}
	return i, true
}

// initialTokens are all, by name.
func (t *tx) initialTokens() (list []storage.InitialToken) {
	for _, v := range t.prefix(initialTokens, nil) {
		if i, ok := decode[storage.InitialToken](t, initialTokens, v); ok {
			list = append(list, i)
		}
	}
	slices.SortFunc(list, func(a, b storage.InitialToken) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), a.Created.Compare(b.Created))
	})
	return list
}
