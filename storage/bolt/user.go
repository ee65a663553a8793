package bolt

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/curfew-id/curfew/storage"
)

// A user's value begins with one byte that says whether the user counts, so that a token's check decodes no record.
const (
	userEnabled  = 'e'
	userDisabled = 'd'
)

// A login's value begins with what it is, so that people can be listed by name.
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
	return read(ctx, s, func(t *tx) (storage.User, error) {
		u, ok := t.user(subject)
		if !ok {
			return u, fmt.Errorf("find user: %w", storage.ErrNotFound)
		}
		return u, nil
	})
}

// UserByLogin implements storage.Users.
func (s *Store) UserByLogin(ctx context.Context, login string) (storage.User, error) {
	return read(ctx, s, func(t *tx) (storage.User, error) {
		if subject := t.get(logins, fold(login)); subject != nil {
			if u, ok := t.user(string(subject[1:])); ok {
				return u, nil
			}
		}
		return storage.User{}, fmt.Errorf("find user by login: %w", storage.ErrNotFound)
	})
}

// ListUsers implements storage.Users.
func (s *Store) ListUsers(ctx context.Context, p storage.Page) ([]storage.User, string, error) {
	walk := func(t *tx, after []byte) iter.Seq2[[]byte, []byte] { return t.after(logins, nil, after) }
	return list(ctx, s, p, walk, func(t *tx, _, holder []byte) (u storage.User, ok bool) {
		if holder[0] == loginName {
			u, ok = t.user(string(holder[1:]))
		}
		return u, ok
	})
}

// user finds a person.
func (t *tx) user(subject string) (u storage.User, ok bool) {
	value := t.get(users, []byte(subject))
	if value == nil {
		return u, false
	}
	return decode[storage.User](t, users, value[1:])
}

// enabled tells whether there is such a user and it is not disabled.
func (t *tx) enabled(subject string) bool {
	value := t.get(users, []byte(subject))
	return value != nil && value[0] == userEnabled
}

// checkUser tells whether u may be stored as it is, and normalises it.
func (t *tx) checkUser(u *storage.User) error {
	if u.Subject == "" || strings.ContainsRune(u.Subject, 0) || u.Name == "" {
		return fmt.Errorf("a user needs a subject without NUL and a name")
	}
	u.Created, u.Updated = milli(u.Created), milli(u.Updated)
	old, known := t.user(u.Subject)
	switch {
	case u.Revision == 0 && (known || t.get(removed, []byte(u.Subject)) != nil):
		return storage.ErrExists
	case u.Revision != 0 && !known:
		return storage.ErrNotFound
	case u.Revision != old.Revision:
		return storage.ErrChanged
	}
	for _, login := range []string{u.Name, u.Email} {
		if holder := t.get(logins, fold(login)); holder != nil && string(holder[1:]) != u.Subject {
			return storage.ErrExists
		}
	}
	return nil
}

// putUser stores u, which was checked.
func (t *tx) putUser(u storage.User) {
	if old, ok := t.user(u.Subject); ok {
		t.dropLogins(old)
	}
	u.Revision++
	record, err := encode(u)
	if err != nil {
		t.fail(fmt.Errorf("encode user: %w", err))
		return
	}
	status := byte(userEnabled)
	if u.Disabled {
		status = userDisabled
	}
	t.put(users, []byte(u.Subject), append([]byte{status}, record...))
	if u.Email != "" {
		t.put(logins, fold(u.Email), append([]byte{loginEmail}, u.Subject...))
	}
	t.put(logins, fold(u.Name), append([]byte{loginName}, u.Subject...)) // last: who has one text for both is listed by it
}

// removeUser removes a person with consents and links, and sees to it that the subject never comes back (Core §2).
func (t *tx) removeUser(u storage.User) {
	t.dropLogins(u)
	t.delete(users, []byte(u.Subject))
	t.put(removed, []byte(u.Subject), []byte{1})
	for _, c := range t.consents(u.Subject) {
		t.removeConsent(c.Subject, c.Client)
	}
	t.removeLinks(u.Subject)
}

// dropLogins frees the names of a person.
func (t *tx) dropLogins(u storage.User) {
	t.delete(logins, fold(u.Name))
	if u.Email != "" {
		t.delete(logins, fold(u.Email))
	}
}

// fold makes the key under which a login name or an address is unique.
func fold(login string) []byte { return []byte(strings.ToLower(login)) }
