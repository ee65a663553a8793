package storage

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"time"
)

// Store is the interface that a backend implements. Callers declare smaller interfaces with the methods that they use.
type Store interface {
	Order
	Users
	FactorStore
	Identities
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
	MailQueue
	InitialAccessTokens
	Epochs

	// Sweep removes up to limit records that have expired (tokens, used ids, used codes, grants, cutoffs, links,
	// reports, messages) and returns how many it removed. EndSessions, not Sweep, removes expired sessions.
	//
	// If a clock that was ahead is set back after a sweep, the removed codes and ids would seem unused. SweepHistory
	// keeps refusing them.
	Sweep(ctx context.Context, at time.Time, limit int) (int, error)

	// Ready writes one fixed record and reads it back, to detect a full or broken disk. ErrFull, ErrUnavailable.
	Ready(ctx context.Context) error

	// Close waits for running transactions and releases the store.
	Close() error
}

// Hash is the SHA-256 of a secret of 256 random bits. A secret of that length needs no salt. The zero Hash stands for
// no secret.
type Hash [sha256.Size]byte

// HashOf returns the hash under which a store keeps a secret.
func HashOf(secret string) Hash { return sha256.Sum256([]byte(secret)) }

// IsZero reports whether h is the zero Hash.
func (h Hash) IsZero() bool { return h == Hash{} }

// String returns the hash in base64url, without padding.
func (h Hash) String() string { return base64.RawURLEncoding.EncodeToString(h[:]) }

// MarshalText writes the hash in base64url, and the zero Hash as the empty string.
func (h Hash) MarshalText() ([]byte, error) {
	if h.IsZero() {
		return nil, nil
	}
	return []byte(h.String()), nil
}

// UnmarshalText reads the form that MarshalText writes.
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

// Page selects a part of a listing.
type Page struct {
	After string // the cursor that the previous page returned; empty for the first page
	Limit int    // at most this many; 0 means 100
}
