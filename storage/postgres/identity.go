package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/curfew-id/curfew/storage"
)

// Link implements storage.Identities.
func (s *Store) Link(ctx context.Context, i storage.Identity, newUser *storage.User, e ...storage.Event) error {
	return s.update(ctx, func(t *tx) error {
		t.lockGates(gateOf(i.User))
		if len(e) > 0 {
			t.lockState()
		}
		if newUser != nil {
			u := *newUser
			if _, err := t.checkUser(&u); err != nil {
				return fmt.Errorf("link: %w", err)
			}
			t.putUser(u)
		}
		if u, ok := t.user(i.User); !ok || u.Disabled {
			return fmt.Errorf("link: %w", storage.ErrRevoked)
		}
		if _, taken := t.identity(i.Issuer, i.Subject); taken {
			return fmt.Errorf("link: %w", storage.ErrExists)
		}
		t.putIdentity(i)
		t.appendEvents(e)
		return nil
	})
}

// Identity implements storage.Identities.
func (s *Store) Identity(ctx context.Context, issuer, subject string) (storage.Identity, error) {
	return read(ctx, s, func(t *tx) (storage.Identity, error) {
		i, ok := t.identity(issuer, subject)
		if !ok {
			return i, fmt.Errorf("find identity: %w", storage.ErrNotFound)
		}
		return i, nil
	})
}

// ListIdentities implements storage.Identities.
func (s *Store) ListIdentities(ctx context.Context, user string) ([]storage.Identity, error) {
	return read(ctx, s, func(t *tx) (list []storage.Identity, err error) {
		t.query(`SELECT record FROM @identities WHERE owner = $1`, []any{user}, collect(t, &list))
		slices.SortFunc(list, func(a, b storage.Identity) int {
			return cmp.Or(
				a.Created.Compare(b.Created), cmp.Compare(a.Issuer, b.Issuer), cmp.Compare(a.Subject, b.Subject),
			)
		})
		return list, nil
	})
}

// identity finds a link.
func (t *tx) identity(issuer, subject string) (storage.Identity, bool) {
	if strings.ContainsRune(issuer+subject, 0) { // no column can have it
		return storage.Identity{}, false
	}
	var value []byte
	found := t.queryRow(
		`SELECT record FROM @identities WHERE issuer = $1 AND subject = $2`, []any{issuer, subject}, &value,
	)
	return decode[storage.Identity](t, value), found
}

// putIdentity stores a new link. If another transaction links the account meanwhile, the error is ErrExists.
func (t *tx) putIdentity(i storage.Identity) {
	i.Created = truncate(i.Created)
	t.exec(
		`INSERT INTO @identities (issuer, subject, owner, record) VALUES ($1, $2, $3, $4)`,
		i.Issuer, i.Subject, i.User, t.encode(i),
	)
}

// removeIdentity removes a link.
func (t *tx) removeIdentity(i storage.Identity) {
	t.exec(`DELETE FROM @identities WHERE issuer = $1 AND subject = $2`, i.Issuer, i.Subject)
}
