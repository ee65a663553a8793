package storage

import (
	"context"
	"time"
)

// Token is an opaque access token. It is revoked together with its grant and its client session.
type Token struct {
	Hash     Hash      `json:"hash"`
	Sequence Sequence  `json:"-"`               // client_credentials: Order.Sequence from before the client was read
	Grant    string    `json:"grant,omitempty"` // empty for client_credentials
	SID      string    `json:"sid,omitempty"`   // of its client session; empty if it was issued without a session
	Client   string    `json:"client"`
	Subject  string    `json:"sub,omitempty"`
	Scope    []string  `json:"scope,omitempty"`
	Audience []string  `json:"aud,omitempty"`
	Issued   time.Time `json:"iat"`
	Expires  time.Time `json:"exp"`
}

// SweepDelay is the longest time for which a token may stay active after its session has expired by idle timeout, even
// while many expired sessions wait for removal.
const SweepDelay = 5 * time.Second

// Tokens stores opaque access tokens.
type Tokens interface {
	// PutToken stores a token without a grant (client_credentials). ErrRevoked if its client is unknown or disabled,
	// or if a cutoff of the client was written after t.Sequence.
	PutToken(ctx context.Context, t Token) error
	// Token finds an active token and its grant (zero for client_credentials). A token is active if it has not
	// expired, its client and user are enabled, and neither its grant nor its client session was revoked. After the
	// idle timeout of its session a token may stay active for up to SweepDelay. ErrNotFound.
	Token(ctx context.Context, hash Hash, at time.Time) (Token, Grant, error)
	// ClientCredentialsTokenActive checks a client_credentials token that is a JWT and therefore not stored. issued is the
	// sequence in the token. ErrNotFound if the client is unknown or disabled, or if a cutoff of the client was
	// written after issued.
	ClientCredentialsTokenActive(ctx context.Context, client string, issued Sequence) error
	// DeleteToken revokes one token. It ignores an unknown token.
	DeleteToken(ctx context.Context, hash Hash) error
}

// ReplayCache records ids that may be used once, such as a jti. Redeem records authorization codes separately.
type ReplayCache interface {
	// MarkUsed records that an id was used, and keeps the record until expires. issued is when the id was issued.
	// ErrAlreadyUsed if a record of the id exists and has not expired, or if Sweep may have removed such a record (see
	// SweepHistory.ForgotUse).
	MarkUsed(ctx context.Context, id string, issued, expires, at time.Time) error
	// WasUsed reports whether an id with those times of issue and expiry was used or may have been used.
	WasUsed(ctx context.Context, id string, issued, expires, at time.Time) (bool, error)
}
