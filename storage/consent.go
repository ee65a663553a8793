package storage

import (
	"context"
	"time"
)

// Consent records the scopes and claims that a user allowed a client. EndSessions withdraws it, because the user's
// client sessions at that client end with it.
type Consent struct {
	Subject string   `json:"sub"`
	Client  string   `json:"client"`
	Scope   []string `json:"scope"`
	Claims  []string `json:"claims,omitempty"` // requested by name (Core §5.5) and not part of the scopes
	// AppName, AppLogoURI and AppHosts are the name, the logo and the hosts of redirect URIs that the user saw.
	AppName    string   `json:"app_name,omitempty"`
	AppLogoURI string   `json:"app_logo_uri,omitempty"`
	AppHosts   []string `json:"app_hosts,omitempty"`

	At       time.Time `json:"at"`
	Sequence Sequence  `json:"sequence,omitempty"` // of the transaction that stored it; the store sets it
}

// MaxConsents is how many consents a user may have.
const MaxConsents = 1000

// Consents stores consents.
type Consents interface {
	// PutConsent stores a consent and replaces the user's earlier one for that client. ErrRevoked if the user or the
	// client is unknown or disabled.
	// ErrLimit if the user has MaxConsents others.
	PutConsent(ctx context.Context, c Consent) error
	// Consent finds a user's consent for a client.
	Consent(ctx context.Context, subject, client string) (Consent, error)
	// ListConsents lists a user's consents.
	ListConsents(ctx context.Context, subject string) ([]Consent, error)
}
