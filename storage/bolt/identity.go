package bolt

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/curfew-id/curfew/storage"
)

// Link implements storage.Identities.
func (s *Store) Link(ctx context.Context, i storage.Identity, newUser *storage.User, e ...storage.Event) error {
	return s.update(ctx, func(t *tx) error {
		key := identityKey(i.Issuer, i.Subject)
		if t.get(identities, key) != nil {
			return fmt.Errorf("link: %w", storage.ErrExists)
		}
		if newUser != nil {
			u := *newUser
			if err := t.checkUser(&u); err != nil {
				return fmt.Errorf("link: %w", err)
			}
			t.putUser(u)
		}
		if !t.userEnabled(i.User) {
			return fmt.Errorf("link: %w", storage.ErrRevoked)
		}
		truncateTimes(&i.Created)
		t.store(identities, key, i)
		t.put(identitiesByUser, joinKey(i.User, string(key)), nil)
		t.appendEvents(e)
		return nil
	})
}

// Identity implements storage.Identities.
func (s *Store) Identity(ctx context.Context, issuer, subject string) (storage.Identity, error) {
	return find(ctx, s, func(t *tx) (storage.Identity, error) {
		i, ok := load[storage.Identity](t, identities, identityKey(issuer, subject))
		if !ok {
			return i, fmt.Errorf("find identity: %w", storage.ErrNotFound)
		}
		return i, nil
	})
}

// ListIdentities implements storage.Identities.
func (s *Store) ListIdentities(ctx context.Context, user string) ([]storage.Identity, error) {
	return read(ctx, s, func(t *tx) ([]storage.Identity, error) { return t.userIdentities(user), nil })
}

// userIdentities lists the links of a user, the oldest first.
func (t *tx) userIdentities(user string) (list []storage.Identity) {
	prefix := keyPrefix(user)
	for key := range t.scanPrefix(identitiesByUser, prefix) {
		if i, ok := load[storage.Identity](t, identities, key[len(prefix):]); ok {
			list = append(list, i)
		}
	}
	slices.SortFunc(list, func(a, b storage.Identity) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Issuer, b.Issuer), cmp.Compare(a.Subject, b.Subject))
	})
	return list
}

// identityKey returns the key of a link: the upstream chooses both texts.
func identityKey(issuer, subject string) []byte {
	return hashedKey(fmt.Sprintf("%d:%s%s", len(issuer), issuer, subject))
}

// checkUnlink returns an error if the user has no such link.
func (t *tx) checkUnlink(i *storage.Identity) error {
	stored, ok := load[storage.Identity](t, identities, identityKey(i.Issuer, i.Subject))
	if !ok || stored.User != i.User {
		return storage.ErrNotFound
	}
	return nil
}

// removeIdentity removes a link.
func (t *tx) removeIdentity(i storage.Identity) {
	key := identityKey(i.Issuer, i.Subject)
	t.delete(identities, key)
	t.delete(identitiesByUser, joinKey(i.User, string(key)))
}
