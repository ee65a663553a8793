package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-id/curfew/storage"
)

// PutUser implements storage.Users.
func (s *Store) PutUser(ctx context.Context, u storage.User, e ...storage.Event) error {
	return s.update(ctx, func(t *tx) error {
		t.lockGates(gateOf(u.Subject))
		if len(e) > 0 {
			t.lockState()
		}
		if _, err := t.checkUser(&u); err != nil {
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

// UserByLogin implements storage.Users. A login name comes before an address.
func (s *Store) UserByLogin(ctx context.Context, login string) (storage.User, error) {
	return read(ctx, s, func(t *tx) (storage.User, error) {
		name, address := storage.LoginNameKey(login), storage.EmailKey(login)
		var value []byte
		found := t.queryRow(
			`SELECT u.record FROM @logins l JOIN @users u ON u.subject = l.subject
			WHERE l.key IN ($1, $2) ORDER BY l.key <> $1 LIMIT 1`,
			[]any{name, address}, &value,
		)
		if !found {
			return storage.User{}, fmt.Errorf("find user by login: %w", storage.ErrNotFound)
		}
		return decode[storage.User](t, value), nil
	})
}

// ListUsers implements storage.Users.
func (s *Store) ListUsers(ctx context.Context, p storage.Page) ([]storage.User, string, error) {
	return list(ctx, s, p, func(t *tx, after string, limit int) (chunk []item[storage.User]) {
		t.query(
			`SELECT l.key, u.record FROM @logins l JOIN @users u ON u.subject = l.subject
			WHERE l.is_name AND l.key > $1 ORDER BY l.key LIMIT $2`,
			[]any{after, limit},
			func(rows pgx.Rows) error {
				var value []byte
				next := item[storage.User]{picked: true}
				err := rows.Scan(&next.key, &value)
				next.record = decode[storage.User](t, value)
				chunk = append(chunk, next)
				return err
			},
		)
		return chunk
	})
}

// user finds a user.
func (t *tx) user(subject string) (storage.User, bool) {
	var value []byte
	found := t.queryRow(`SELECT record FROM @users WHERE subject = $1`, []any{subject}, &value)
	return decode[storage.User](t, value), found
}

// checkUser returns an error if u must not be stored, and normalizes u. It returns the stored user with the subject
// of u.
func (t *tx) checkUser(u *storage.User) (old storage.User, err error) {
	if u.Subject == "" || strings.ContainsRune(u.Subject, 0) || u.Name == "" {
		return old, errors.New("a user needs a subject without NUL and a name")
	}
	var value []byte
	var removed, loginTaken bool
	t.queryRow(
		`SELECT (SELECT record FROM @users WHERE subject = $1),
			EXISTS (SELECT FROM @removed_subjects WHERE subject = $1),
			EXISTS (SELECT FROM @logins WHERE key = ANY($2) AND subject <> $1)`,
		[]any{u.Subject, loginKeys(*u)}, &value, &removed, &loginTaken,
	)
	old = decode[storage.User](t, value)
	known := value != nil
	truncateAll(&u.Created, &u.Updated, &u.EmailFixedUntil)
	switch {
	case u.Revision == 0 && (known || removed):
		return old, storage.ErrExists
	case u.Revision != 0 && !known:
		return old, storage.ErrNotFound
	case u.Revision != old.Revision:
		return old, storage.ErrChanged
	case loginTaken:
		return old, storage.ErrExists
	}
	return old, nil
}

// loginKeys returns the keys of the logins with which a user can sign in: that of the name first, then that of a
// verified e-mail address.
func loginKeys(u storage.User) []string {
	keys := []string{storage.LoginNameKey(u.Name)}
	if u.Email != "" && u.EmailVerified {
		if key := storage.EmailKey(u.Email); key != keys[0] {
			keys = append(keys, key)
		}
	}
	return keys
}

// putUser stores u, which checkUser has checked. If another transaction takes one of the logins meanwhile, the
// transaction fails with ErrExists.
func (t *tx) putUser(u storage.User) {
	u.Revision++
	t.exec(
		`INSERT INTO @users (subject, enabled, groups, record) VALUES ($1, $2, $3, $4)
		ON CONFLICT (subject) DO UPDATE
		SET enabled = EXCLUDED.enabled, groups = EXCLUDED.groups, record = EXCLUDED.record`,
		u.Subject, !u.Disabled, arrayOf(u.Groups), t.encode(u),
	)
	t.exec(`DELETE FROM @logins WHERE subject = $1`, u.Subject)
	for i, key := range loginKeys(u) {
		t.exec(`INSERT INTO @logins (key, is_name, subject) VALUES ($1, $2, $3)`, key, i == 0, u.Subject)
	}
}

// removeUser removes a user with consents, one-time links, factors and linked accounts. The subject is never used
// again (Core §2).
func (t *tx) removeUser(subject string) {
	t.exec(`DELETE FROM @logins WHERE subject = $1`, subject)
	t.exec(`DELETE FROM @users WHERE subject = $1`, subject)
	t.exec(`INSERT INTO @removed_subjects (subject) VALUES ($1)`, subject)
	t.exec(`DELETE FROM @consents WHERE subject = $1`, subject)
	t.exec(`DELETE FROM @factors WHERE subject = $1`, subject)
	t.exec(`DELETE FROM @identities WHERE owner = $1`, subject)
	t.exec(`DELETE FROM @one_time_links WHERE subject = $1`, subject)
}
