package storage

import (
	"context"
	"fmt"
	"time"
)

// UpstreamSession is the session at an upstream OpenID provider from which a session came. The zero value stands for a
// sign-in without an upstream.
type UpstreamSession struct {
	Provider string    `json:"provider"`            // the id of the upstream in the configuration
	Issuer   string    `json:"iss"`                 // Issuer and Subject together identify the account (Core §2)
	Subject  string    `json:"sub"`                 // the user's sub at the upstream
	SID      string    `json:"sid,omitempty"`       // in the ID token (Back-Channel Logout 1.0 §2.1); empty: none
	Expires  time.Time `json:"expires_at,omitzero"` // session_expiry in the ID token; zero: not known
	Checked  time.Time `json:"checked_at,omitzero"` // when the upstream last said that the user is signed in there
	IDToken  []byte    `json:"-"`                   // encrypted; the id_token_hint for a logout at the upstream
}

// IsZero reports whether there is no upstream session.
func (u UpstreamSession) IsZero() bool { return u.Issuer == "" }

// Limit returns the earlier one of expires and u.Expires. If u.Expires is not known, it returns expires.
func (u UpstreamSession) Limit(expires time.Time) time.Time {
	if !u.Expires.IsZero() && u.Expires.Before(expires) {
		return u.Expires
	}
	return expires
}

// Scopes lists the scopes in which a termination at the upstream ends the session: its account and, if it is known, its
// sid. Backends use them as keys of an index.
func (u UpstreamSession) Scopes() []SessionID {
	if u.IsZero() {
		return nil
	}
	scopes := []SessionID{UpstreamSelector{Issuer: u.Issuer, Subject: u.Subject}.Scope()}
	if u.SID != "" {
		scopes = append(scopes, UpstreamSelector{Issuer: u.Issuer, SID: u.SID}.Scope())
	}
	return scopes
}

// UpstreamSelector selects the sessions that came from one session (SID) or one account (Subject) of an upstream. If
// both are set, both must match.
type UpstreamSelector struct {
	Issuer  string `json:"iss"`
	Subject string `json:"sub,omitempty"`
	SID     string `json:"sid,omitempty"`
}

// IsZero reports whether the selector names no upstream.
func (u UpstreamSelector) IsZero() bool { return u == UpstreamSelector{} }

// Scope returns the CutoffScope.Session of the selector, and its key in an index. No session has such an ID.
func (u UpstreamSelector) Scope() SessionID {
	kind, value := "sid", u.SID
	if value == "" {
		kind, value = "sub", u.Subject
	}
	return SessionID("upstream " + HashOf(fmt.Sprintf("%s %d:%s%s", kind, len(u.Issuer), u.Issuer, value)).String())
}

// includes reports whether the session came from the selected session or account. A selector with neither includes no
// session.
func (u UpstreamSelector) includes(s UpstreamSession) bool {
	if s.IsZero() || s.Issuer != u.Issuer {
		return false
	}
	if u.Subject == "" && u.SID == "" {
		return false
	}
	subjectMatches := u.Subject == "" || s.Subject == u.Subject
	sidMatches := u.SID == "" || s.SID == u.SID
	return subjectMatches && sidMatches
}

// Identity links an account of an upstream to a user. Issuer and Subject together identify the account.
type Identity struct {
	Issuer   string    `json:"iss"`
	Subject  string    `json:"sub"`
	User     string    `json:"user"`           // the subject of the user
	Provider string    `json:"provider"`       // the id of the upstream in the configuration
	Name     string    `json:"name,omitempty"` // of the account at the upstream, for display
	Created  time.Time `json:"created"`
}

// Identities stores the links between accounts of upstreams and users. Change.Unlink removes a link.
type Identities interface {
	// Link stores a link and adds the audit lines. With newUser it also creates that user, in the same transaction.
	// ErrExists if the account is linked already, or as Users.PutUser returns it. ErrRevoked if the user is unknown or
	// disabled.
	Link(ctx context.Context, i Identity, newUser *User, e ...Event) error
	// Identity finds the link of an account. ErrNotFound.
	Identity(ctx context.Context, issuer, subject string) (Identity, error)
	// ListIdentities lists the links of a user, the oldest first.
	ListIdentities(ctx context.Context, user string) ([]Identity, error)
}
