package storage

import (
	"context"
	"time"
)

// Link is a one-time link that an administrator made for a person. It is used by the Change of the ending it causes.
type Link struct {
	Hash    Hash      `json:"hash"`
	Purpose string    `json:"purpose"` // reset
	Subject string    `json:"sub"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
}

// Links keeps one-time links.
type Links interface {
	// PutLink stores a link and drops older ones of the same purpose and user.
	PutLink(ctx context.Context, l Link, e Event) error
	// Link finds an unused, unexpired link.
	Link(ctx context.Context, hash Hash, at time.Time) (Link, error)
}

// InitialToken is an initial access token for dynamic registration (RFC 7591 §3).
type InitialToken struct {
	Hash     Hash      `json:"hash"`
	Name     string    `json:"name"`
	Defaults []byte    `json:"defaults,omitempty"` // JSON: the per-client choices that clients registered with it get
	Created  time.Time `json:"created"`
	Expires  time.Time `json:"expires,omitzero"`
	Uses     int       `json:"uses"` // registrations left; -1: unlimited
}

// InitialTokens keeps initial access tokens.
type InitialTokens interface {
	// PutInitialToken stores one and adds the audit lines, in one transaction.
	PutInitialToken(ctx context.Context, t InitialToken, e ...Event) error
	// InitialToken finds a usable one.
	InitialToken(ctx context.Context, hash Hash, at time.Time) (InitialToken, error)
	// ListInitialTokens lists them by name.
	ListInitialTokens(ctx context.Context) ([]InitialToken, error)
	// DeleteInitialToken removes those of that name and adds the audit lines, in one transaction; none is ErrNotFound.
	DeleteInitialToken(ctx context.Context, name string, e ...Event) error
}
