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

// A user's value begins with one byte that says whether the user is enabled, so that the check of a token decodes no
// record.
const (
	statusEnabled  = 'e'
	statusDisabled = 'd'
)

// A login's value begins with its kind, so that users can be listed by name.
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

// userEnabled reports whether there is such a user and it is not disabled.
func (t *tx) userEnabled(subject string) bool {
	value := t.get(users, []byte(subject))
	return value != nil && value[0] == statusEnabled
}

// checkUser reports whether u may be stored as it is, and normalises it.
func (t *tx) checkUser(u *storage.User) error {
	if u.Subject == "" || strings.ContainsRune(u.Subject, 0) || u.Name == "" {
		return fmt.Errorf("a user needs a subject without NUL and a name")
	}
	u.Created, u.Updated = truncateToMillis(u.Created), truncateToMillis(u.Updated)
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

// loginKeys returns the keys under which a user signs in, the name's first.
func loginKeys(u storage.User) []string {
	keys := []string{storage.LoginNameKey(u.Name)}
	if u.Email != "" && u.EmailVerified {
		keys = append(keys, storage.EmailKey(u.Email))
	}
	return keys
}

// loginOwner finds the user who signs in with that key.
func (t *tx) loginOwner(key string) (storage.User, bool) {
	login := t.get(logins, []byte(key))
	if login == nil {
		return storage.User{}, false
	}
	u, ok := t.user(string(login[1:]))
	return u, ok && slices.Contains(loginKeys(u), key)
}

// putUser stores u, which was checked.
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
	for i, key := range slices.Backward(loginKeys(u)) { // the name's last: a user who has one text for both is listed by it
		kind := byte(loginEmail)
		if i == 0 {
			kind = loginName
		}
		t.put(logins, []byte(key), append([]byte{kind}, u.Subject...))
	}
}

// removeUser removes a user with consents, links and factors, and keeps the subject from being used again (Core 1.0 §2).
func (t *tx) removeUser(u storage.User) {
	t.deleteLogins(u)
	t.delete(users, []byte(u.Subject))
	t.put(removedSubjects, []byte(u.Subject), []byte{1})
	for _, c := range t.userConsents(u.Subject) {
		t.removeConsent(c.Subject, c.Client)
	}
	t.removeLinks(u.Subject)
	t.delete(factors, []byte(u.Subject))
}

// deleteLogins frees the login names of a user.
func (t *tx) deleteLogins(u storage.User) {
	for _, key := range loginKeys(u) {
		t.delete(logins, []byte(key))
	}
}
