package storage

import (
	"context"
	"time"
)

// Consent is what a user allowed a client. It is withdrawn through EndSessions, since the user's client sessions end
// with it.
type Consent struct {
	Subject  string    `json:"sub"`
	Client   string    `json:"client"`
	Scope    []string  `json:"scope"`
	Claims   []string  `json:"claims,omitempty"` // asked for by name, beyond what the scopes give (Core §5.5)
	At       time.Time `json:"at"`
	Sequence Sequence  `json:"sequence,omitempty"` // of the transaction that stored it; the store sets it
}

// Consents stores consents.
type Consents interface {
	// PutConsent stores what the user allows from now on, replacing what was allowed before. ErrRevoked if user or
	// client are unknown or disabled.
	PutConsent(ctx context.Context, c Consent) error
	// Consent finds what a user allowed a client.
	Consent(ctx context.Context, subject, client string) (Consent, error)
	// ListConsents lists what a user allowed.
	ListConsents(ctx context.Context, subject string) ([]Consent, error)
}
