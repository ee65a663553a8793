package storage

import (
	"context"
	"time"
)

// Token is an opaque access token. It counts as long as its grant and its client session do.
type Token struct {
	Hash     Hash      `json:"hash"`
	Sequence Sequence  `json:"-"`               // of a client_credentials token: the store's, from before the client was read
	Grant    string    `json:"grant,omitempty"` // empty for client_credentials
	SID      string    `json:"sid,omitempty"`   // the client session to which it was given; empty if it was issued without the session
	Client   string    `json:"client"`
	Subject  string    `json:"sub,omitempty"`
	Scope    []string  `json:"scope,omitempty"`
	Audience []string  `json:"aud,omitempty"`
	Issued   time.Time `json:"iat"`
	Expires  time.Time `json:"exp"`
}

// SweepDelay is how long a token outlives the idle deadline of its session at most, however many sessions wait to be
// swept.
const SweepDelay = 5 * time.Second

// Tokens stores opaque access tokens.
type Tokens interface {
	// PutToken stores a token without a grant (client_credentials). ErrRevoked if its client is unknown or disabled,
	// or was ended everywhere since t.Sequence.
	PutToken(ctx context.Context, t Token) error
	// Token finds an active token and its grant (zero for client_credentials): it has not expired, client and user
	// are enabled, and neither its grant nor its client session was revoked. A token may outlive a session's idle
	// deadline until the next sweep, never by more than SweepDelay. ErrNotFound.
	Token(ctx context.Context, hash Hash, at time.Time) (Token, Grant, error)
	// ClientTokenActive checks a token that a client has for itself, that is stored nowhere, and that was issued at
	// that sequence. ErrNotFound if the client is unknown or disabled, or was ended everywhere since.
	ClientTokenActive(ctx context.Context, client string, issued Sequence) error
	// DeleteToken revokes one token; an unknown one is not an error.
	DeleteToken(ctx context.Context, hash Hash) error
}

// ReplayCache records ids that may be used once. Codes are not among them: Redeem records those.
type ReplayCache interface {
	// MarkUsed records that an id which was issued then has been used, until that time. ErrAlreadyUsed if it was used
	// before and that record's time is not over, or if Sweep may have removed such a record; see Store.Sweep.
	MarkUsed(ctx context.Context, id string, issued, until, at time.Time) error
	// WasUsed reports whether an id that was issued and expires then was used, or may have been.
	WasUsed(ctx context.Context, id string, issued, expires, at time.Time) (bool, error)
}
