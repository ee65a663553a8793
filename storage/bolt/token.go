package bolt

import (
	"context"
	"encoding/binary"
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
				if t.ownTokenDead(k) {
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
func (s *Store) Spend(ctx context.Context, id string, until, at time.Time) error {
	return s.update(ctx, func(t *tx) error {
		if use, ok := t.use(id); ok && at.Before(use.until) {
			return fmt.Errorf("spend: %w", storage.ErrSpent)
		}
		t.spend(id, use{until: milli(until)})
		return nil
	})
}

// Spent implements storage.Spending.
func (s *Store) Spent(ctx context.Context, id string, at time.Time) (bool, error) {
	return read(ctx, s, func(t *tx) (bool, error) {
		use, ok := t.use(id)
		return ok && at.Before(use.until), nil
	})
}

// use is what is kept of a one-time thing that was used.
type use struct {
	until time.Time
	noted bool   // a second use of this code stands in the audit trail
	grant string // what the code gave
}

// use finds out whether id was used.
func (t *tx) use(id string) (use, bool) {
	value := t.get(spent, shortKey(id))
	if len(value) < 9 {
		return use{}, false
	}
	until := time.UnixMilli(int64(binary.BigEndian.Uint64(value))).UTC()
	return use{until: until, noted: value[8] == 1, grant: string(value[9:])}, true
}

// spend records that id was used.
func (t *tx) spend(id string, u use) {
	value := binary.BigEndian.AppendUint64(nil, uint64(u.until.UnixMilli()))
	noted := byte(0)
	if u.noted {
		noted = 1
	}
	key := shortKey(id)
	t.put(spent, key, append(append(value, noted), u.grant...))
	t.expire(u.until, expirySpent, key)
}
