package storage

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"time"
)

// Store is what a backend implements. Callers declare the methods that they use. Backends assert it: var _
// storage.Store = (*Store)(nil).
type Store interface {
	Order
	Users
	FactorStore
	Clients
	Sessions
	Grants
	Tokens
	ReplayCache
	Consents
	Terminations
	Deliveries
	Reports
	Keys
	Events
	Attempts
	OneTimeLinks
	InitialAccessTokens

	// Sweep removes up to limit records that have expired (tokens, used ids, used codes, grants, cutoffs, links,
	// reports) and returns how many it removed. It leaves expired sessions to EndSessions.
	//
	// A clock that was ahead may be put back after a sweep. What the sweep removed does not count again then: codes
	// and ids that it may have removed stay refused, see SweepHistory.
	Sweep(ctx context.Context, at time.Time, limit int) (int, error)

	// Ready writes and reads back one fixed record, so that a full or broken disk shows. ErrFull, ErrUnavailable.
	Ready(ctx context.Context) error

	// Close waits for running transactions and releases the store.
	Close() error
}

// Hash is the SHA-256 of a secret of 256 random bits. No salt is needed at that length.
type Hash [sha256.Size]byte

// HashOf is the hash under which a secret is stored.
func HashOf(secret string) Hash { return sha256.Sum256([]byte(secret)) }

// IsZero reports whether there is no hash.
func (h Hash) IsZero() bool { return h == Hash{} }

// String is the hash in base64url, without padding.
func (h Hash) String() string { return base64.RawURLEncoding.EncodeToString(h[:]) }

// MarshalText writes the hash in base64url, an absent one as the empty string.
func (h Hash) MarshalText() ([]byte, error) {
	if h.IsZero() {
		return nil, nil
	}
	return []byte(h.String()), nil
}

// UnmarshalText reads what MarshalText wrote.
func (h *Hash) UnmarshalText(text []byte) error {
	*h = Hash{}
	if len(text) == 0 {
		return nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(string(text))
	if err == nil {
		copy(h[:], raw)
	}
	return err
}

// Page asks for a part of a listing.
type Page struct {
	After string // the cursor that the page before returned; empty for the first
	Limit int    // at most this many; 0 means 100
}
