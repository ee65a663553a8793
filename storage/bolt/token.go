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
		if t.enabledClient(token.Client) == nil {
			return fmt.Errorf("put token: %w", storage.ErrRevoked)
		}
		t.putToken(token)
		return nil
	})
}

// Token implements storage.Tokens.
func (s *Store) Token(ctx context.Context, hash storage.Hash, at time.Time) (token storage.Token, g storage.Grant, err error) {
	err = s.lookUp(ctx, func(t *tx) error {
		var ok bool
		if token, ok = load[storage.Token](t, tokens, hash[:]); ok && at.Before(token.Expires) && t.enabledClient(token.Client) != nil {
			if token.Grant == "" {
				if t.clientTokenRevoked(token.Client, token.Issued) {
					return fmt.Errorf("find token: %w", storage.ErrNotFound)
				}
				return nil
			}
			if g, ok = t.activeGrant(token.Grant, token.SID, at); ok {
				return nil
			}
		}
		return fmt.Errorf("find token: %w", storage.ErrNotFound)
	})
	if err != nil {
		return storage.Token{}, storage.Grant{}, err
	}
	return token, g, nil
}

// ClientTokenActive implements storage.Tokens.
func (s *Store) ClientTokenActive(ctx context.Context, client string, issued time.Time) error {
	return s.lookUp(ctx, func(t *tx) error {
		if t.enabledClient(client) == nil || t.clientTokenRevoked(client, truncateToMillis(issued)) {
			return fmt.Errorf("find client of a token: %w", storage.ErrNotFound)
		}
		return nil
	})
}

// DeleteToken implements storage.Tokens. Its place in the order of expiry is left to Sweep.
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
	token.Issued, token.Expires = truncateToMillis(token.Issued), truncateToMillis(token.Expires)
	t.store(tokens, token.Hash[:], token)
	t.scheduleExpiry(token.Expires, expiryToken, token.Hash[:])
}

// MarkUsed implements storage.Spending.
func (s *Store) MarkUsed(ctx context.Context, id string, issued, until, at time.Time) error {
	return s.update(ctx, func(t *tx) error {
		key := hashedKey(id)
		if t.usedUntil(key).After(at) || t.cache.sweepState.mayHaveForgotten(issued, until) {
			return fmt.Errorf("spend: %w", storage.ErrAlreadyUsed)
		}
		until := truncateToMillis(until)
		t.put(usedIDs, key, timeKey(until))
		t.scheduleExpiry(until, expiryUsedID, key)
		return nil
	})
}

// WasUsed implements storage.Spending.
func (s *Store) WasUsed(ctx context.Context, id string, issued, expires, at time.Time) (bool, error) {
	return read(ctx, s, func(t *tx) (bool, error) {
		return t.usedUntil(hashedKey(id)).After(at) || t.cache.sweepState.mayHaveForgotten(issued, expires), nil
	})
}

// usedUntil is until when a one-time thing counts as used; zero if it was not.
func (t *tx) usedUntil(key []byte) time.Time {
	if value := t.get(usedIDs, key); len(value) == timeKeyLength {
		return keyTime(value)
	}
	return time.Time{}
}
