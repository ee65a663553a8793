package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// PutOneTimeLink implements storage.OneTimeLinks.
func (s *Store) PutOneTimeLink(
	ctx context.Context,
	l storage.OneTimeLink,
	e storage.Event,
	m ...storage.Mail,
) error {
	return s.update(ctx, func(t *tx) error {
		t.lockGates(gateOf(l.Subject))
		t.exec(`DELETE FROM @one_time_links WHERE subject = $1 AND purpose = $2`, l.Subject, l.Slot())
		t.addLink(l)
		t.addMails(m)
		t.lockState()
		t.flush()
		t.appendEvent(e)
		return nil
	})
}

// OneTimeLink implements storage.OneTimeLinks.
func (s *Store) OneTimeLink(ctx context.Context, hash storage.Hash, at time.Time) (storage.OneTimeLink, error) {
	return read(ctx, s, func(t *tx) (storage.OneTimeLink, error) {
		l, ok := t.findLink(hash, at, ``)
		if !ok {
			return l, fmt.Errorf("find link: %w", storage.ErrNotFound)
		}
		return l, nil
	})
}

// lockLink locks and reads a link that has not expired. A link that was used has been deleted.
func (t *tx) lockLink(hash storage.Hash, at time.Time) (storage.OneTimeLink, bool) {
	return t.findLink(hash, at, ` FOR UPDATE`)
}

func (t *tx) findLink(hash storage.Hash, at time.Time, lock string) (storage.OneTimeLink, bool) {
	list := queryRecords[storage.OneTimeLink](t, `SELECT record FROM @one_time_links WHERE hash = $1`+lock, hash[:])
	if len(list) == 0 || !at.Before(list[0].Expires) {
		return storage.OneTimeLink{}, false
	}
	return list[0], true
}

// addLink stores a link. Its slot must be free. The column purpose has the slot.
func (t *tx) addLink(l storage.OneTimeLink) {
	truncateAll(&l.Created, &l.Expires)
	t.exec(
		`INSERT INTO @one_time_links (hash, subject, purpose, expires, record) VALUES ($1, $2, $3, $4, $5)`,
		l.Hash[:], l.Subject, l.Slot(), millis(l.Expires), t.encode(l),
	)
}

// addNotice queues the message about an event and stores the link in it, in place of the one in the same slot.
func (t *tx) addNotice(n storage.Notice) {
	t.addMail(n.Mail)
	if n.Link.Hash.IsZero() {
		return
	}
	t.exec(`DELETE FROM @one_time_links WHERE subject = $1 AND purpose = $2`, n.Link.Subject, n.Link.Slot())
	t.addLink(n.Link)
}

// removeLinks removes all links of a user but those in notices.
func (t *tx) removeLinks(subject string) {
	t.exec(`DELETE FROM @one_time_links WHERE subject = $1 AND purpose NOT LIKE $2`, subject, storage.LinkNotMe+" %")
}

// PutInitialAccessToken implements storage.InitialAccessTokens.
func (s *Store) PutInitialAccessToken(ctx context.Context, token storage.InitialAccessToken, e ...storage.Event) error {
	return s.update(ctx, func(t *tx) error {
		truncateAll(&token.Created, &token.Expires)
		t.putInitialAccessToken(token)
		t.appendEvents(e)
		return nil
	})
}

func (t *tx) putInitialAccessToken(token storage.InitialAccessToken) {
	t.exec(
		`INSERT INTO @initial_access_tokens (hash, name, record) VALUES ($1, $2, $3)
		ON CONFLICT (hash) DO UPDATE SET name = EXCLUDED.name, record = EXCLUDED.record`,
		token.Hash[:], token.Name, t.encode(token),
	)
}

// InitialAccessToken implements storage.InitialAccessTokens.
func (s *Store) InitialAccessToken(
	ctx context.Context,
	hash storage.Hash,
	at time.Time,
) (storage.InitialAccessToken, error) {
	return read(ctx, s, func(t *tx) (storage.InitialAccessToken, error) {
		token, ok := t.findInitialAccessToken(hash, at, ``)
		if !ok {
			return token, fmt.Errorf("find initial access token: %w", storage.ErrNotFound)
		}
		return token, nil
	})
}

// lockInitialAccessToken locks and reads an initial access token that has uses left and has not expired.
func (t *tx) lockInitialAccessToken(hash storage.Hash, at time.Time) (storage.InitialAccessToken, bool) {
	return t.findInitialAccessToken(hash, at, ` FOR UPDATE`)
}

func (t *tx) findInitialAccessToken(
	hash storage.Hash, at time.Time, lock string,
) (storage.InitialAccessToken, bool) {
	sql := `SELECT record FROM @initial_access_tokens WHERE hash = $1` + lock
	list := queryRecords[storage.InitialAccessToken](t, sql, hash[:])
	if len(list) == 0 {
		return storage.InitialAccessToken{}, false
	}
	token := list[0]
	expired := !token.Expires.IsZero() && !at.Before(token.Expires)
	if token.UsesLeft == 0 || expired {
		return storage.InitialAccessToken{}, false
	}
	return token, true
}

// ListInitialAccessTokens implements storage.InitialAccessTokens.
func (s *Store) ListInitialAccessTokens(ctx context.Context) ([]storage.InitialAccessToken, error) {
	return read(ctx, s, func(t *tx) ([]storage.InitialAccessToken, error) {
		list := queryRecords[storage.InitialAccessToken](t, `SELECT record FROM @initial_access_tokens`)
		slices.SortFunc(list, func(a, b storage.InitialAccessToken) int {
			return cmp.Or(cmp.Compare(a.Name, b.Name), a.Created.Compare(b.Created))
		})
		return list, nil
	})
}

// DeleteInitialAccessToken implements storage.InitialAccessTokens.
func (s *Store) DeleteInitialAccessToken(ctx context.Context, name string, e ...storage.Event) error {
	return s.update(ctx, func(t *tx) error {
		deleted := queryRecords[storage.InitialAccessToken](
			t, `DELETE FROM @initial_access_tokens WHERE name = $1 RETURNING record`, name,
		)
		if len(deleted) == 0 {
			return fmt.Errorf("delete initial access token: %w", storage.ErrNotFound)
		}
		t.wrote = true
		t.appendEvents(e)
		return nil
	})
}
