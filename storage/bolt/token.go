package bolt

import (
	"context"
	"fmt"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// PutToken implements storage.Tokens.
func (s *Store) PutToken(ctx context.Context, token storage.Token) error {
	return s.update(ctx, func(t *tx) error {
		if c := t.enabledClient(token.Client); c == nil || t.clientTokenRevoked(c, token.Sequence) {
			return fmt.Errorf("put token: %w", storage.ErrRevoked)
		}
		t.noteUse(token.Client, truncateToMillis(token.Issued))
		t.putToken(token)
		return nil
	})
}

// Token implements storage.Tokens.
func (s *Store) Token(
	ctx context.Context,
	hash storage.Hash,
	at time.Time,
) (token storage.Token, g storage.Grant, err error) {
	err = s.lookUp(ctx, func(t *tx) error {
		var active bool
		if token, g, active = t.activeToken(hash, at); active {
			return nil
		}
		return fmt.Errorf("find token: %w", storage.ErrNotFound)
	})
	if err != nil {
		return storage.Token{}, storage.Grant{}, err
	}
	return token, g, nil
}

// activeToken finds an active token and its grant (zero for client_credentials).
func (t *tx) activeToken(hash storage.Hash, at time.Time) (token storage.Token, g storage.Grant, active bool) {
	token, ok := load[storage.Token](t, tokens, hash[:])
	if !ok || !at.Before(token.Expires) {
		return token, g, false
	}
	client := t.enabledClient(token.Client)
	if client == nil {
		return token, g, false
	}
	if token.Grant == "" {
		return token, g, !t.clientTokenRevoked(client, token.Sequence)
	}
	g, active = t.activeGrant(token.Grant, token.SID, at)
	return token, g, active
}

// ClientTokenActive implements storage.Tokens.
func (s *Store) ClientTokenActive(ctx context.Context, client string, issued storage.Sequence) error {
	return s.lookUp(ctx, func(t *tx) error {
		if c := t.enabledClient(client); c == nil || t.clientTokenRevoked(c, issued) {
			return fmt.Errorf("find client of a token: %w", storage.ErrNotFound)
		}
		return nil
	})
}

// DeleteToken implements storage.Tokens. It leaves the token's key in the table expiry to Sweep.
func (s *Store) DeleteToken(ctx context.Context, hash storage.Hash) error {
	return s.update(ctx, func(t *tx) error {
		if t.get(tokens, hash[:]) != nil {
			t.delete(tokens, hash[:])
		}
		return nil
	})
}

// putToken stores a token.
func (t *tx) putToken(token storage.Token) {
	truncateTimes(&token.Issued, &token.Expires)
	t.store(tokens, token.Hash[:], token)
	t.scheduleExpiry(token.Expires, expiryToken, token.Hash[:])
}

// MarkUsed implements storage.ReplayCache.
func (s *Store) MarkUsed(ctx context.Context, id string, issued, until, at time.Time) error {
	return s.update(ctx, func(t *tx) error {
		key := hashedKey(id)
		if t.usedUntil(key).After(at) || t.cache.sweepHistory.ForgotUse(issued, until) {
			return fmt.Errorf("mark used: %w", storage.ErrAlreadyUsed)
		}
		until := truncateToMillis(until)
		t.put(usedIDs, key, timeKey(until))
		t.scheduleExpiry(until, expiryUsedID, key)
		return nil
	})
}

// WasUsed implements storage.ReplayCache.
func (s *Store) WasUsed(ctx context.Context, id string, issued, expires, at time.Time) (bool, error) {
	return read(ctx, s, func(t *tx) (bool, error) {
		return t.usedUntil(hashedKey(id)).After(at) || t.cache.sweepHistory.ForgotUse(issued, expires), nil
	})
}

// usedUntil returns until when the record of a used id is kept; zero if there is none.
func (t *tx) usedUntil(key []byte) time.Time {
	if value := t.get(usedIDs, key); len(value) == timeKeyLength {
		return keyTime(value)
	}
	return time.Time{}
}
