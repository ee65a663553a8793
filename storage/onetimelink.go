package storage

import (
	"context"
	"time"
)

// OneTimeLink is a link that works once. Change.UseLink uses it up.
type OneTimeLink struct {
	Hash    Hash      `json:"hash"`
	Purpose string    `json:"purpose"` // LinkReset …
	Subject string    `json:"sub"`
	Address string    `json:"address,omitempty"` // of the mail with the link; empty: an administrator handed it out
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
}

// The purposes of one-time links.
const (
	LinkReset       = "reset"      // sets a password; an administrator made it
	LinkEnrol       = "enrol"      // sets up a factor; an administrator made it
	LinkMailedReset = "reset_mail" // sets a password; it was mailed to Address
	LinkEmail       = "email"      // makes Address the user's address; it was mailed there
	LinkInvitation  = "invitation" // sets the first password of the user, whose address is Address
	LinkSignUp      = "sign_up"    // makes an account with Address, whose subject is then Subject
	LinkNotMe       = "not_me"     // in a notice to Address: undoes what happened to the account since Created
)

// NotMeLifetime is how long a LinkNotMe works.
const NotMeLifetime = 72 * time.Hour

// Slot names the place of the link among the links of its user. A new link replaces an older one in the same slot. Each
// notice has a slot of its own.
func (l OneTimeLink) Slot() string {
	if l.Purpose == LinkNotMe {
		return LinkNotMe + " " + l.Hash.String()
	}
	return l.Purpose
}

// OneTimeLinks stores one-time links.
type OneTimeLinks interface {
	// PutOneTimeLink stores a link and an audit line, removes the user's older link in the same slot, and queues the
	// messages, in one transaction.
	PutOneTimeLink(ctx context.Context, l OneTimeLink, e Event, m ...Mail) error
	// OneTimeLink finds an unused, unexpired link.
	OneTimeLink(ctx context.Context, hash Hash, at time.Time) (OneTimeLink, error)
}

// InitialAccessToken is an initial access token for dynamic registration (RFC 7591 §3).
type InitialAccessToken struct {
	Hash     Hash      `json:"hash"`
	Name     string    `json:"name"`
	Defaults []byte    `json:"defaults,omitempty"` // JSON: default metadata of the clients registered with the token
	Created  time.Time `json:"created"`
	Expires  time.Time `json:"expires,omitzero"`
	UsesLeft int       `json:"uses_left"` // registrations left; -1: unlimited
}

// InitialAccessTokens stores initial access tokens.
type InitialAccessTokens interface {
	// PutInitialAccessToken stores a token and adds the audit lines, in one transaction.
	PutInitialAccessToken(ctx context.Context, t InitialAccessToken, e ...Event) error
	// InitialAccessToken finds a token that has not expired and has uses left.
	InitialAccessToken(ctx context.Context, hash Hash, at time.Time) (InitialAccessToken, error)
	// ListInitialAccessTokens lists all initial access tokens by name.
	ListInitialAccessTokens(ctx context.Context) ([]InitialAccessToken, error)
	// DeleteInitialAccessToken removes the tokens of that name and adds the audit lines, in one transaction.
	// ErrNotFound if there is none.
	DeleteInitialAccessToken(ctx context.Context, name string, e ...Event) error
}
