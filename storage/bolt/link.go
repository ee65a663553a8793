package bolt

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
		t.addLink(l)
		t.addMails(m)
		t.appendEvent(e)
		return nil
	})
}

// OneTimeLink implements storage.OneTimeLinks.
func (s *Store) OneTimeLink(ctx context.Context, hash storage.Hash, at time.Time) (storage.OneTimeLink, error) {
	return find(ctx, s, func(t *tx) (storage.OneTimeLink, error) {
		l, ok := t.findLink(hash, at)
		if !ok {
			return l, fmt.Errorf("find link: %w", storage.ErrNotFound)
		}
		return l, nil
	})
}

// addLink stores a link in place of the one in the same slot.
func (t *tx) addLink(l storage.OneTimeLink) {
	truncateTimes(&l.Created, &l.Expires)
	userKey := joinKey(l.Subject, l.Slot())
	if replaced := t.get(linksByUser, userKey); replaced != nil {
		t.delete(oneTimeLinks, replaced)
	}
	t.store(oneTimeLinks, l.Hash[:], l)
	t.put(linksByUser, userKey, l.Hash[:])
	t.scheduleExpiry(l.Expires, expiryLink, l.Hash[:])
}

// addNotice queues the message about an event and stores the link in it.
func (t *tx) addNotice(n storage.Notice) {
	t.addMails([]storage.Mail{n.Mail})
	if !n.Link.Hash.IsZero() {
		t.addLink(n.Link)
	}
}

// findLink finds a link that has not expired. A link that was used has been deleted.
func (t *tx) findLink(hash storage.Hash, at time.Time) (storage.OneTimeLink, bool) {
	l, ok := load[storage.OneTimeLink](t, oneTimeLinks, hash[:])
	if !ok || !at.Before(l.Expires) {
		return storage.OneTimeLink{}, false
	}
	return l, true
}

// removeLink removes a link that was used or has expired.
func (t *tx) removeLink(l storage.OneTimeLink) {
	t.delete(oneTimeLinks, l.Hash[:])
	userKey := joinKey(l.Subject, l.Slot())
	if string(t.get(linksByUser, userKey)) == string(l.Hash[:]) {
		t.delete(linksByUser, userKey)
	}
}

// removeLinks removes all links of a user; with keepNotices those in notices stay.
func (t *tx) removeLinks(subject string, keepNotices bool) {
	var toRemove []storage.OneTimeLink
	for _, hash := range t.scanPrefix(linksByUser, keyPrefix(subject)) {
		l, ok := load[storage.OneTimeLink](t, oneTimeLinks, hash)
		isKept := keepNotices && l.Purpose == storage.LinkNotMe
		if ok && !isKept {
			toRemove = append(toRemove, l)
		}
	}
	for _, l := range toRemove {
		t.removeLink(l)
	}
}

// PutInitialAccessToken implements storage.InitialAccessTokens.
func (s *Store) PutInitialAccessToken(ctx context.Context, token storage.InitialAccessToken, e ...storage.Event) error {
	return s.update(ctx, func(t *tx) error {
		truncateTimes(&token.Created, &token.Expires)
		t.store(initialAccessTokens, token.Hash[:], token)
		t.appendEvents(e)
		return nil
	})
}

// InitialAccessToken implements storage.InitialAccessTokens.
func (s *Store) InitialAccessToken(
	ctx context.Context,
	hash storage.Hash,
	at time.Time,
) (storage.InitialAccessToken, error) {
	return read(ctx, s, func(t *tx) (storage.InitialAccessToken, error) {
		token, ok := t.validInitialAccessToken(hash, at)
		if !ok {
			return token, fmt.Errorf("find initial access token: %w", storage.ErrNotFound)
		}
		return token, nil
	})
}

// ListInitialAccessTokens implements storage.InitialAccessTokens.
func (s *Store) ListInitialAccessTokens(ctx context.Context) ([]storage.InitialAccessToken, error) {
	return read(ctx, s, func(t *tx) ([]storage.InitialAccessToken, error) { return t.listInitialAccessTokens(), nil })
}

// DeleteInitialAccessToken implements storage.InitialAccessTokens.
func (s *Store) DeleteInitialAccessToken(ctx context.Context, name string, e ...storage.Event) error {
	return s.update(ctx, func(t *tx) error {
		found := false
		for _, token := range t.listInitialAccessTokens() {
			if token.Name == name {
				t.delete(initialAccessTokens, token.Hash[:])
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

// validInitialAccessToken finds an initial access token that has uses left and has not expired.
func (t *tx) validInitialAccessToken(hash storage.Hash, at time.Time) (storage.InitialAccessToken, bool) {
	token, ok := load[storage.InitialAccessToken](t, initialAccessTokens, hash[:])
	if !ok || token.UsesLeft == 0 || (!token.Expires.IsZero() && !at.Before(token.Expires)) {
		return storage.InitialAccessToken{}, false
	}
	return token, true
}

// listInitialAccessTokens lists all initial access tokens, by name.
func (t *tx) listInitialAccessTokens() (list []storage.InitialAccessToken) {
	for _, v := range t.scanPrefix(initialAccessTokens, nil) {
		if token, ok := decode[storage.InitialAccessToken](t, initialAccessTokens, v); ok {
			list = append(list, token)
		}
	}
	slices.SortFunc(list, func(a, b storage.InitialAccessToken) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), a.Created.Compare(b.Created))
	})
	return list
}
