package storage

import (
	"context"
	"time"
)

// Token is an opaque access token. It is alive as long as its grant and its membership are.
type Token struct {
	Hash     Hash      `json:"hash"`
	Grant    string    `json:"grant,omitempty"` // empty for client_credentials
	SID      string    `json:"sid,omitempty"`   // the membership it was given to; empty if it was issued without the session
	Client   string    `json:"client"`
	Subject  string    `json:"sub,omitempty"`
	Scope    []string  `json:"scope,omitempty"`
	Audience []string  `json:"aud,omitempty"`
	Issued   time.Time `json:"iat"`
	Expires  time.Time `json:"exp"`
}

// SweepDelay is how long at most a token outlives the idle deadline of its session, however many sessions wait to be swept.
const SweepDelay = 5 * time.Second

// Tokens keeps opaque access tokens.
type Tokens interface {
	// PutToken stores a token without a grant (client_credentials). ErrEnded if its client is unknown or disabled.
	PutToken(ctx context.Context, t Token) error
	// Token finds a living token and its grant (zero for client_credentials): unexpired, its client enabled, its user enabled, grant and
	// membership not ended, not fenced. A token may outlive a session's idle deadline by one sweep, never by more than SweepDelay. ErrNotFound.
	Token(ctx context.Context, hash Hash, at time.Time) (Token, Grant, error)
	// ClientTokenActive tells whether a token that a client has without any session, issued then and stored nowhere, still counts: the client is there
	// and enabled, and no ending of all that it has came since. ErrNotFound.
	ClientTokenActive(ctx context.Context, client string, issued time.Time) error
	// DeleteToken revokes one token; an unknown one is not an error.
	DeleteToken(ctx context.Context, hash Hash) error
}

// ReplayCache keeps what was used once. Codes are not among it: Redeem keeps them itself.
type ReplayCache interface {
	// MarkUsed records as used until then what was issued under id. ErrSpent if it was used before and its time is not over, or if Sweep may
	// have forgotten that it was; see Sweep.
	MarkUsed(ctx context.Context, id string, issued, until, at time.Time) error
	// WasUsed tells whether what was issued under id, and expires then, was used, or may have been.
	WasUsed(ctx context.Context, id string, issued, expires, at time.Time) (bool, error)
}
