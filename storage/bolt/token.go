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
		client := t.enabledClient(token.Client)
		if client == nil || t.clientTokenRevoked(client, token.Sequence) {
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
		token, g, active = t.activeToken(hash, at)
		if !active {
			return fmt.Errorf("find token: %w", storage.ErrNotFound)
		}
		return nil
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

// ClientCredentialsTokenActive implements storage.Tokens.
func (s *Store) ClientCredentialsTokenActive(ctx context.Context, clientID string, issued storage.Sequence) error {
	return s.lookUp(ctx, func(t *tx) error {
		client := t.enabledClient(clientID)
		if client == nil || t.clientTokenRevoked(client, issued) {
			return fmt.Errorf("find client of a token: %w", storage.ErrNotFound)
		}
		return nil
	})
}

// DeleteToken implements storage.Tokens. Sweep later removes the token's entry in the table expiry.
func (s *Store) DeleteToken(ctx context.Context, hash storage.Hash) error {
	return s.update(ctx, func(t *tx) error {
		if t.get(tokens, hash[:]) != nil { // without a write, the transaction needs no commit
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
func (s *Store) MarkUsed(ctx context.Context, id string, issued, expires, at time.Time) error {
	return s.update(ctx, func(t *tx) error {
		key := hashedKey(id)
		if t.usedIDExpiry(key).After(at) || t.cache.sweepHistory.ForgotUse(issued, expires) {
			return fmt.Errorf("mark used: %w", storage.ErrAlreadyUsed)
		}
		expires = truncateToMillis(expires)
		t.put(usedIDs, key, timeKey(expires))
		t.scheduleExpiry(expires, expiryUsedID, key)
		return nil
	})
}

// WasUsed implements storage.ReplayCache.
func (s *Store) WasUsed(ctx context.Context, id string, issued, expires, at time.Time) (bool, error) {
	return read(ctx, s, func(t *tx) (bool, error) {
		used := t.usedIDExpiry(hashedKey(id)).After(at)
		return used || t.cache.sweepHistory.ForgotUse(issued, expires), nil
	})
}

// usedIDExpiry returns when the record of a used id expires, or zero if the id has no record.
func (t *tx) usedIDExpiry(key []byte) time.Time {
	if value := t.get(usedIDs, key); len(value) == timeKeyLength {
		return keyTime(value)
	}
	return time.Time{}
}
