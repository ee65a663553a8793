package bolt

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/storage/record"
)

// PutClient implements storage.Clients.
func (s *Store) PutClient(ctx context.Context, c storage.Client, e ...storage.Event) error {
	return s.update(ctx, func(t *tx) error {
		if err := t.checkClient(c); err != nil {
			return fmt.Errorf("put client: %w", err)
		}
		t.putClient(c)
		t.appendEvents(e)
		return nil
	})
}

// RegisterClient implements storage.Clients.
func (s *Store) RegisterClient(
	ctx context.Context,
	c storage.Client,
	token storage.Hash,
	at time.Time,
	e ...storage.Event,
) error {
	return s.update(ctx, func(t *tx) error {
		c.Revision = 0
		if err := t.checkClient(c); err != nil {
			return fmt.Errorf("register client: %w", err)
		}
		if !token.IsZero() {
			initial, ok := t.validInitialAccessToken(token, at)
			if !ok {
				return fmt.Errorf("register client: initial access token: %w", storage.ErrRevoked)
			}
			if initial.UsesLeft > 0 {
				initial.UsesLeft--
				t.store(initialAccessTokens, token[:], initial)
			}
		}
		t.putClient(c)
		t.appendEvents(e)
		return nil
	})
}

// Client implements storage.Clients.
func (s *Store) Client(ctx context.Context, id string) (*storage.Client, error) {
	if err := ctx.Err(); err != nil {
		return nil, unavailable(err)
	}
	if c := s.cache.Load().clients[id]; c != nil {
		return c, nil
	}
	return find(ctx, s, func(t *tx) (*storage.Client, error) {
		if c := t.client(id); c != nil {
			return c, nil
		}
		return nil, fmt.Errorf("find client: %w", storage.ErrNotFound)
	})
}

// ListClients implements storage.Clients.
func (s *Store) ListClients(ctx context.Context, p storage.Page) ([]*storage.Client, string, error) {
	walk := func(t *tx, after []byte) iter.Seq2[[]byte, []byte] { return t.scanAfter(clients, nil, after) }
	return list(ctx, s, p, walk, func(t *tx, id, _ []byte) (*storage.Client, bool) {
		c := t.client(string(id))
		return c, c != nil
	})
}

// enabledClient returns a client that exists and is not disabled, or nil.
func (t *tx) enabledClient(id string) *storage.Client {
	if c := t.client(id); c != nil && !c.Disabled {
		return c
	}
	return nil
}

// checkClient returns an error if c may not be stored.
func (t *tx) checkClient(c storage.Client) error {
	if c.ClientID == "" || strings.ContainsRune(c.ClientID, 0) {
		return fmt.Errorf("a client needs an id without NUL")
	}
	old := t.client(c.ClientID)
	switch {
	case c.Revision == 0 && old != nil:
		return storage.ErrExists
	case c.Revision != 0 && old == nil:
		return storage.ErrNotFound
	case old != nil && c.Revision != old.Revision:
		return storage.ErrChanged
	}
	return nil
}

// putClient stores a client that checkClient has accepted.
func (t *tx) putClient(c storage.Client) {
	truncateTimes(&c.Created, &c.Updated)
	if old := t.client(c.ClientID); old != nil {
		c.Sequence = old.Sequence
	} else {
		c.Sequence = t.sequence()
	}
	if c.Revision == 0 {
		c.Revision = t.bucket(clients).Sequence()
	}
	c.Revision++
	stored, err := cloneClient(c)
	if err != nil {
		t.fail(fmt.Errorf("encode client: %w", err))
		return
	}
	value, err := record.Encode(stored)
	if err != nil {
		t.fail(fmt.Errorf("encode client: %w", err))
		return
	}
	t.put(clients, []byte(c.ClientID), value)
	if c.Dynamic {
		delete(t.changeCache().clients, c.ClientID)
		t.putDynamicClient(stored, len(value))
		return
	}
	t.removeDynamicClient(c.ClientID)
	t.changeCache().clients[c.ClientID] = stored
}

// removeClient removes a client. Its consents are invalid from then on (consentActive), and Sweep removes them.
func (t *tx) removeClient(id string) {
	// The sequence in the bucket's header is the highest revision of all removed clients. A later client with the same
	// id continues from it (putClient), so that it never gets a revision that was used before.
	c, b := t.client(id), t.bucket(clients)
	if c == nil {
		return
	}
	if c.Revision > b.Sequence() {
		if err := b.SetSequence(c.Revision); err != nil {
			t.fail(fmt.Errorf("keep the revision of a removed client: %w", err))
		}
	}
	t.keepRemovedClient(*c)
	t.delete(clients, []byte(id))
	delete(t.changeCache().clients, id)
	t.removeDynamicClient(id)
	t.delete(clientActivity, []byte(id))
	t.discardConsents(id)
}
