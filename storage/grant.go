package storage

import (
	"context"
	"encoding/json"
	"time"
)

// Grant is what a relying party holds: bound to a session, with which it dies, or offline (Core §11), which survives it.
// A grant with a refresh token is a family: one token is current at a time.
type Grant struct {
	ID           string          `json:"id"`
	Client       string          `json:"client"`
	Subject      string          `json:"sub"`
	Session      SessionID       `json:"session,omitempty"` // empty: offline
	SID          string          `json:"sid,omitempty"`     // the membership it was given to, offline ones too
	Scope        []string        `json:"scope,omitempty"`
	Audience     []string        `json:"audience,omitempty"`
	Claims       json.RawMessage `json:"claims,omitempty"` // the claims request parameter (Core §5.5)
	AuthTime     time.Time       `json:"auth_time"`
	AMR          []string        `json:"amr,omitempty"`
	ACR          string          `json:"acr,omitempty"`
	Created      time.Time       `json:"created"`
	LastUsed     time.Time       `json:"last_used"`
	IdleTimeout  time.Duration   `json:"idle_timeout,omitempty"` // offline: dead this long after LastUsed; 0: no idle limit
	Expires      time.Time       `json:"expires_at,omitzero"`    // zero: only Idle limits it
	RefreshHash  Hash            `json:"refresh_hash,omitzero"`  // the current refresh token
	PreviousHash Hash            `json:"previous_hash,omitzero"`
	RotatedAt    time.Time       `json:"rotated_at,omitzero"`   // when Previous was exchanged for Refresh
	Trust        TokenExpiry     `json:"token_expiry,omitzero"` // what was issued under it, for offline grants
	UserAgent    string          `json:"user_agent,omitempty"`
}

// Offline tells whether the grant survives its session.
func (g *Grant) Offline() bool { return g.Session == "" }

// Deadline is the instant from which the grant is dead by itself; zero means never.
func (g *Grant) Deadline() time.Time {
	d := g.Expires
	if g.IdleTimeout > 0 {
		if idle := g.LastUsed.Add(g.IdleTimeout); d.IsZero() || idle.Before(d) {
			d = idle
		}
	}
	return d
}

// Code is what the store needs of an authorization code; the rest travels sealed in the code itself.
type Code struct {
	ID      string // the random id inside the code
	Client  string
	Subject string
	Session SessionID
	SID     string    // a fresh random sid, taken if the client is no member yet
	Issued  time.Time // whole milliseconds
	Expires time.Time
}

// Issuance is what a redemption, a refresh or an authorization response gives a relying party.
type Issuance struct {
	Grant  Grant
	Tokens []Token
	Trust  TokenExpiry
}

// RedeemResult is the outcome of a redemption.
type RedeemResult struct {
	Session Session // with the client's membership
	Grant   Grant   // of a code that was used before: what its first use gave, zero if that is gone
	Reused  bool    // the code was used before: nothing was issued or changed
}

// RefreshRequest asks for the next tokens of a family.
type RefreshRequest struct {
	Token    Hash          // the refresh token presented
	NewToken Hash          // the one that follows it
	Client   string        // who presents it
	Grace    time.Duration // a repeat within this time gets the same successor, unless the exchange lies more than ClockStep ahead
}

// RefreshResult is the outcome of a refresh.
type RefreshResult struct {
	Session  *Session // nil for an offline grant
	Grant    Grant
	Repeated bool // the token was exchanged before, within the grace: its successor is the same again
	Reused   bool // the token was exchanged before: nothing was issued or changed
}

// Grants keeps what relying parties hold.
type Grants interface {
	// Redeem spends a code: in one transaction it records the code's id as spent until code.Expires, checks session, user, client and
	// fences, joins the client to the session and stores what issue returns. ErrEnded if any of them has ended since code.Issued, or
	// that lies more than ClockStep ahead.
	// A second use is told by Reused, each time; it is for the caller to end the grant that the first gave, by EndSessions.
	// issue gets the session as it will be, signs nothing, and may run twice.
	Redeem(ctx context.Context, code Code, at time.Time, issue func(Session, ClientSession) (Issuance, error)) (RedeemResult, error)
	// Join does the same for response types that issue at the authorization endpoint; code.ID is not spent.
	Join(ctx context.Context, code Code, at time.Time, issue func(Session, ClientSession) (Issuance, error)) (RedeemResult, error)
	// Refresh exchanges the current refresh token of a family for its successor. ErrNotFound: unknown or another client's;
	// ErrEnded: session, user, client or grant has ended or is past its time. It keeps the session of a session-bound grant active.
	// A token that was exchanged before is told by Reused, each time; it is for the caller to end what the family led to, by EndSessions. One of
	// an offline grant may be forgotten when Idle has passed since: it would be dead by then without having been exchanged.
	Refresh(ctx context.Context, r RefreshRequest, at time.Time, issue func(Grant, *Session) (Issuance, error)) (RefreshResult, error)
	// GrantByRefresh finds the living family of a refresh token, current or exchanged.
	GrantByRefresh(ctx context.Context, token Hash, at time.Time) (g Grant, current bool, err error)
	// ActiveGrant finds the grant of a token that was issued under sid (empty: without a session) and reports ErrNotFound
	// if the grant, or the client session with that sid, has been revoked or has expired.
	ActiveGrant(ctx context.Context, id, sid string, at time.Time) (Grant, error)
	// ListGrants lists a user's living grants, of one client or (empty) all; offline ones only if asked.
	ListGrants(ctx context.Context, subject, client string, offlineOnly bool, at time.Time) ([]Grant, error)
}
