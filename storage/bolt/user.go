package bolt

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/storage/record"
)

// The first byte of a value in the table users says whether the user is enabled. The check of a token thus need not
// decode the record.
const (
	statusEnabled  = 'e'
	statusDisabled = 'd'
)

// The first byte of a value in the table logins says what the login is. ListUsers thus lists each user once, by name.
const (
	loginName  = 'n'
	loginEmail = 'm'
)

// PutUser implements storage.Users.
func (s *Store) PutUser(ctx context.Context, u storage.User, e ...storage.Event) error {
	return s.update(ctx, func(t *tx) error {
		if err := t.checkUser(&u); err != nil {
			return fmt.Errorf("put user: %w", err)
		}
		t.putUser(u)
		t.appendEvents(e)
		return nil
	})
}

// User implements storage.Users.
func (s *Store) User(ctx context.Context, subject string) (storage.User, error) {
	return find(ctx, s, func(t *tx) (storage.User, error) {
		u, ok := t.user(subject)
		if !ok {
			return u, fmt.Errorf("find user: %w", storage.ErrNotFound)
		}
		return u, nil
	})
}

// UserByLogin implements storage.Users.
func (s *Store) UserByLogin(ctx context.Context, login string) (storage.User, error) {
	return find(ctx, s, func(t *tx) (storage.User, error) {
		for _, key := range []string{storage.LoginNameKey(login), storage.EmailKey(login)} {
			if u, ok := t.loginOwner(key); ok {
				return u, nil
			}
		}
		return storage.User{}, fmt.Errorf("find user by login: %w", storage.ErrNotFound)
	})
}

// ListUsers implements storage.Users.
func (s *Store) ListUsers(ctx context.Context, p storage.Page) ([]storage.User, string, error) {
	walk := func(t *tx, after []byte) iter.Seq2[[]byte, []byte] { return t.scanAfter(logins, nil, after) }
	return list(ctx, s, p, walk, func(t *tx, _, login []byte) (u storage.User, ok bool) {
		if login[0] == loginName {
			u, ok = t.user(string(login[1:]))
		}
		return u, ok
	})
}

// user finds a user.
func (t *tx) user(subject string) (u storage.User, ok bool) {
	value := t.get(users, []byte(subject))
	if value == nil {
		return u, false
	}
	return decode[storage.User](t, users, value[1:])
}

// userEnabled reports whether a user exists and is not disabled.
func (t *tx) userEnabled(subject string) bool {
	value := t.get(users, []byte(subject))
	return value != nil && value[0] == statusEnabled
}

// checkUser returns an error if u may not be stored, and truncates its times.
func (t *tx) checkUser(u *storage.User) error {
	if u.Subject == "" || strings.ContainsRune(u.Subject, 0) || u.Name == "" {
		return fmt.Errorf("a user needs a subject without NUL and a name")
	}
	truncateTimes(&u.Created, &u.Updated, &u.EmailFixedUntil)
	old, known := t.user(u.Subject)
	switch {
	case u.Revision == 0 && (known || t.get(removedSubjects, []byte(u.Subject)) != nil):
		return storage.ErrExists
	case u.Revision != 0 && !known:
		return storage.ErrNotFound
	case u.Revision != old.Revision:
		return storage.ErrChanged
	}
	for _, key := range loginKeys(*u) {
		if owner, ok := t.loginOwner(key); ok && owner.Subject != u.Subject {
			return storage.ErrExists
		}
	}
	return nil
}

// loginKeys returns the keys of a user in the table logins. The key of the name comes first.
func loginKeys(u storage.User) []string {
	keys := []string{storage.LoginNameKey(u.Name)}
	if u.Email != "" && u.EmailVerified {
		keys = append(keys, storage.EmailKey(u.Email))
	}
	return keys
}

// loginOwner finds the user of a key in the table logins.
func (t *tx) loginOwner(key string) (storage.User, bool) {
	login := t.get(logins, []byte(key))
	if login == nil {
		return storage.User{}, false
	}
	u, ok := t.user(string(login[1:]))
	return u, ok && slices.Contains(loginKeys(u), key)
}

// putUser stores a user that checkUser has accepted.
func (t *tx) putUser(u storage.User) {
	if old, ok := t.user(u.Subject); ok {
		t.deleteLogins(old)
	}
	u.Revision++
	content, err := record.Encode(u)
	if err != nil {
		t.fail(fmt.Errorf("encode user: %w", err))
		return
	}
	status := byte(statusEnabled)
	if u.Disabled {
		status = statusDisabled
	}
	t.put(users, []byte(u.Subject), append([]byte{status}, content...))
	// The name is written last: if name and e-mail have the same key, the user must be listed by name.
	for i, key := range slices.Backward(loginKeys(u)) {
		kind := byte(loginEmail)
		if i == 0 {
			kind = loginName
		}
		t.put(logins, []byte(key), append([]byte{kind}, u.Subject...))
	}
}

// removeUser removes a user with consents, one-time links, factors and linked accounts. The subject is never used again
// (Core §2).
func (t *tx) removeUser(u storage.User) {
	t.deleteLogins(u)
	t.delete(users, []byte(u.Subject))
	t.put(removedSubjects, []byte(u.Subject), []byte{1})
	for _, c := range t.userConsents(u.Subject) {
		t.removeConsent(c.Subject, c.Client)
	}
	t.removeLinks(u.Subject, false)
	t.delete(factors, []byte(u.Subject))
	for _, i := range t.userIdentities(u.Subject) {
		t.removeIdentity(i)
	}
}

// deleteLogins removes a user's keys from the table logins.
func (t *tx) deleteLogins(u storage.User) {
	for _, key := range loginKeys(u) {
		t.delete(logins, []byte(key))
	}
}
