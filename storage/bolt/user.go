package bolt

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/curfew-id/curfew/storage"
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
		if subject := t.get(logins, loginKey(login)); subject != nil {
			if u, ok := t.user(string(subject[1:])); ok {
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
	for _, login := range []string{u.Name, u.Email} {
		if owner := t.get(logins, loginKey(login)); owner != nil && string(owner[1:]) != u.Subject {
			return storage.ErrExists
		}
	}
	return nil
}

// putUser stores u, which was checked.
func (t *tx) putUser(u storage.User) {
	if old, ok := t.user(u.Subject); ok {
		t.deleteLogins(old)
	}
	u.Revision++
	record, err := encode(u)
	if err != nil {
		t.fail(fmt.Errorf("encode user: %w", err))
		return
	}
	status := byte(statusEnabled)
	if u.Disabled {
		status = statusDisabled
	}
	t.put(users, []byte(u.Subject), append([]byte{status}, record...))
	if u.Email != "" {
		t.put(logins, loginKey(u.Email), append([]byte{loginEmail}, u.Subject...))
	}
	t.put(logins, loginKey(u.Name), append([]byte{loginName}, u.Subject...)) // last, so that the kind is name where name and address are equal
}

// removeUser removes a user with consents and links, and keeps the subject from being used again (Core 1.0 §2).
func (t *tx) removeUser(u storage.User) {
	t.deleteLogins(u)
	t.delete(users, []byte(u.Subject))
	t.put(removedSubjects, []byte(u.Subject), []byte{1})
	for _, c := range t.userConsents(u.Subject) {
		t.removeConsent(c.Subject, c.Client)
	}
	t.removeLinks(u.Subject)
}

// deleteLogins frees the login names of a user.
func (t *tx) deleteLogins(u storage.User) {
	t.delete(logins, loginKey(u.Name))
	if u.Email != "" {
		t.delete(logins, loginKey(u.Email))
	}
}

// loginKey makes the key of a login name or an address. Both are unique without regard to case.
func loginKey(login string) []byte { return []byte(strings.ToLower(login)) }
