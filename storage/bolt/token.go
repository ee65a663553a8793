package bolt

import (
	"context"
	"fmt"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// PutToken implements storage.Tokens.
func (s *Store) PutToken(ctx context.Context, k storage.Token) error {
	return s.update(ctx, func(t *tx) error {
		if t.client(k.Client) == nil {
			return fmt.Errorf("put token: %w", storage.ErrEnded)
		}
		t.putToken(k)
		return nil
	})
}

// Token implements storage.Tokens.
func (s *Store) Token(ctx context.Context, hash storage.Hash, at time.Time) (k storage.Token, g storage.Grant, err error) {
	err = s.view(ctx, func(t *tx) error {
		var ok bool
		if k, ok = load[storage.Token](t, tokens, hash[:]); ok && at.Before(k.Expires) && t.client(k.Client) != nil {
			if k.Grant == "" {
				if t.ownTokenDead(k.Client, k.Issued) {
					return fmt.Errorf("find token: %w", storage.ErrNotFound)
				}
				return nil
			}
			if g, ok = t.liveGrant(k.Grant, k.SID, at); ok {
				return nil
			}
		}
		return fmt.Errorf("find token: %w", storage.ErrNotFound)
	})
	if err != nil {
		return storage.Token{}, storage.Grant{}, err
	}
	return k, g, nil
}

// LiveOwnToken implements storage.Tokens.
func (s *Store) LiveOwnToken(ctx context.Context, client string, issued time.Time) error {
	return s.view(ctx, func(t *tx) error {
		if t.client(client) == nil || t.ownTokenDead(client, milli(issued)) {
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
func (t *tx) putToken(k storage.Token) {
	k.Issued, k.Expires = milli(k.Issued), milli(k.Expires)
	t.store(tokens, k.Hash[:], k)
	t.expire(k.Expires, expiryToken, k.Hash[:])
}

// Spend implements storage.Spending.
func (s *Store) Spend(ctx context.Context, id string, issued, until, at time.Time) error {
	return s.update(ctx, func(t *tx) error {
		key := shortKey(id)
		if t.spentUntil(key).After(at) || t.memory.swept.forgot(issued, until) {
			return fmt.Errorf("spend: %w", storage.ErrSpent)
		}
		until := milli(until)
		t.put(spent, key, timeKey(until))
		t.expire(until, expirySpent, key)
		return nil
	})
}

// Spent implements storage.Spending.
func (s *Store) Spent(ctx context.Context, id string, issued, expires, at time.Time) (bool, error) {
	return read(ctx, s, func(t *tx) (bool, error) {
		return t.spentUntil(shortKey(id)).After(at) || t.memory.swept.forgot(issued, expires), nil
	})
}

// spentUntil is until when a one-time thing counts as used; zero if it was not.
func (t *tx) spentUntil(key []byte) time.Time {
	if value := t.get(spent, key); len(value) == timeLength {
		return keyTime(value)
	}
	return time.Time{}
}
