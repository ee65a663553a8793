package storage

import (
	"context"
	"encoding/json"
	"time"
)

// Grant is what a client holds: bound to a session and revoked with it, or offline (Core §11), which survives the
// session. A grant with a refresh token is a family of refresh tokens, of which one is current at a time.
type Grant struct {
	ID           string          `json:"id"`
	Sequence     Sequence        `json:"-"` // of the transaction that created it
	Client       string          `json:"client"`
	Subject      string          `json:"sub"`
	Session      SessionID       `json:"session,omitempty"` // empty: offline
	SID          string          `json:"sid,omitempty"`     // the client session in which it was given, of offline grants too
	Scope        []string        `json:"scope,omitempty"`
	Audience     []string        `json:"audience,omitempty"`
	Claims       json.RawMessage `json:"claims,omitempty"` // the claims request parameter (Core §5.5)
	AuthTime     time.Time       `json:"auth_time"`
	AMR          []string        `json:"amr,omitempty"`
	ACR          string          `json:"acr,omitempty"`
	Created      time.Time       `json:"created"`
	LastUsed     time.Time       `json:"last_used"`
	IdleTimeout  time.Duration   `json:"idle_timeout,omitempty"` // offline: it expires this long after LastUsed; 0: no idle limit
	Expires      time.Time       `json:"expires_at,omitzero"`    // zero: only IdleTimeout limits it
	RefreshHash  Hash            `json:"refresh_hash,omitzero"`  // the current refresh token
	PreviousHash Hash            `json:"previous_hash,omitzero"` // the refresh token before it
	RotatedAt    time.Time       `json:"rotated_at,omitzero"`    // when PreviousHash was exchanged for RefreshHash
	Trust        TokenExpiry     `json:"token_expiry,omitzero"`  // of what was issued under an offline grant
	UserAgent    string          `json:"user_agent,omitempty"`
}

// Offline reports whether the grant survives its session.
func (g *Grant) Offline() bool { return g.Session == "" }

// Deadline returns when the grant expires; zero means never.
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
	ID       string // the random id inside the code
	Client   string
	Subject  string
	Session  SessionID
	SID      string   // a fresh random sid, taken if the client is not in the session yet
	Sequence Sequence // the store's, from before client, session and consent were read
	Issued   time.Time
	Expires  time.Time
}

// Issuance is what a redemption, a refresh or an authorization response gives a client.
type Issuance struct {
	Grant  Grant
	Tokens []Token
	Trust  TokenExpiry
}

// RedeemResult is the outcome of a redemption.
type RedeemResult struct {
	Session Session // with the client's part
	Grant   Grant   // of a code that was used before: the grant that its first use gave, zero if that is gone
	Reused  bool    // the code was used before: nothing was issued or changed
}

// RefreshRequest asks for the next tokens of a family.
type RefreshRequest struct {
	Token    Hash          // the refresh token presented
	NewToken Hash          // the one that follows it
	Client   string        // the client that presents it
	Grace    time.Duration // a repeated exchange within this time gets the same successor
}

// RefreshResult is the outcome of a refresh.
type RefreshResult struct {
	Session  *Session // nil for an offline grant
	Grant    Grant
	Repeated bool // the token was exchanged before, within the grace: its successor is the same again
	Reused   bool // the token was exchanged before: nothing was issued or changed
}

// Grants stores what clients hold.
type Grants interface {
	// Redeem uses a code: in one transaction it records the code as used until code.Expires, checks session, user,
	// client and cutoffs, joins the client to the session and stores what issue returns. ErrRevoked if any of them
	// was revoked since code.Sequence, or if the time is not one at which the code can be redeemed. A second use sets
	// Reused, each time; the caller ends the grant that the first use gave, by EndSessions. issue gets the session as
	// it will be, signs nothing, and may run twice.
	Redeem(
		ctx context.Context,
		code Code,
		at time.Time,
		issue func(Session, ClientSession) (Issuance, error),
	) (RedeemResult, error)
	// Join does the same for response types that issue at the authorization endpoint; code.ID is not used up.
	Join(
		ctx context.Context,
		code Code,
		at time.Time,
		issue func(Session, ClientSession) (Issuance, error),
	) (RedeemResult, error)
	// Refresh exchanges the current refresh token of a family for its successor. ErrNotFound: unknown or another
	// client's; ErrRevoked: session, user, client or grant was revoked or has expired. It keeps the session of a
	// session-bound grant active. A token that was exchanged before sets Reused, each time; the caller ends what the
	// family led to, by EndSessions. The store may forget one of an offline grant when IdleTimeout has passed since:
	// it would have expired without the exchange.
	Refresh(
		ctx context.Context,
		r RefreshRequest,
		at time.Time,
		issue func(Grant, *Session) (Issuance, error),
	) (RefreshResult, error)
	// GrantByRefresh finds the active family of a refresh token, current or exchanged.
	GrantByRefresh(ctx context.Context, token Hash, at time.Time) (g Grant, current bool, err error)
	// ActiveGrant finds the grant of a token that was issued under sid (empty: without a session) and reports
	// ErrNotFound if the grant, or the client session with that sid, has been revoked or has expired.
	ActiveGrant(ctx context.Context, id, sid string, at time.Time) (Grant, error)
	// ListGrants lists a user's active grants, of one client or (empty) of all; with offlineOnly only offline ones.
	ListGrants(ctx context.Context, subject, client string, offlineOnly bool, at time.Time) ([]Grant, error)
}
