package storage

import (
	"context"
	"encoding/json"
	"time"
)

// Grant is the right of a client to tokens for one user. It is bound to a session and revoked with it, or it is offline
// access (Core §11) and survives the session. The refresh tokens that follow each other under one grant are its token
// family; one of them is current.
type Grant struct {
	ID           string          `json:"id"`
	Sequence     Sequence        `json:"-"` // of the transaction that created it
	Client       string          `json:"client"`
	Subject      string          `json:"sub"`
	Session      SessionID       `json:"session,omitempty"` // empty: offline
	SID          string          `json:"sid,omitempty"`     // of the client session in which the user granted it
	Scope        []string        `json:"scope,omitempty"`
	Audience     []string        `json:"audience,omitempty"`
	Claims       json.RawMessage `json:"claims,omitempty"` // the claims request parameter (Core §5.5)
	AuthTime     time.Time       `json:"auth_time"`
	AMR          []string        `json:"amr,omitempty"`
	ACR          string          `json:"acr,omitempty"`
	Created      time.Time       `json:"created"`
	LastUsed     time.Time       `json:"last_used"`
	IdleTimeout  time.Duration   `json:"idle_timeout,omitempty"` // offline: limit of the time since LastUsed; 0: none
	Expires      time.Time       `json:"expires_at,omitzero"`    // absolute limit; zero: only IdleTimeout limits it
	RefreshHash  Hash            `json:"refresh_hash,omitzero"`  // of the current refresh token
	PreviousHash Hash            `json:"previous_hash,omitzero"` // of the refresh token before the current one
	RotatedAt    time.Time       `json:"rotated_at,omitzero"`    // when PreviousHash was exchanged for RefreshHash
	Trust        TokenExpiry     `json:"token_expiry,omitzero"`  // offline: latest expiry of the grant's tokens
	UserAgent    string          `json:"user_agent,omitempty"`
	// ClientSubject is the subject identifier that was granted (Core §8). All tokens of the grant have it. Empty: an
	// earlier release wrote the record.
	ClientSubject string `json:"client_sub,omitempty"`
}

// Offline reports whether the grant survives its session.
func (g *Grant) Offline() bool { return g.Session == "" }

// Deadline returns when the grant expires; zero means never.
func (g *Grant) Deadline() time.Time {
	if g.IdleTimeout <= 0 {
		return g.Expires
	}
	idleDeadline := g.LastUsed.Add(g.IdleTimeout)
	if g.Expires.IsZero() || idleDeadline.Before(g.Expires) {
		return idleDeadline
	}
	return g.Expires
}

// Code is the part of an authorization code that the store checks. The other parts are sealed in the code itself.
type Code struct {
	ID       string // the random id inside the code
	Client   string
	Subject  string
	Session  SessionID
	SID      string   // a new random sid, used if the client has no client session yet
	Sequence Sequence // result of Order.Sequence, called before the client, session and consent were read
	Issued   time.Time
	Expires  time.Time
}

// Issuance is the grant and the tokens that a redemption, a refresh or an authorization response gives a client.
type Issuance struct {
	Grant  Grant
	Tokens []Token
	Trust  TokenExpiry // latest expiry of all issued tokens, including those that the store does not record

	ClientSubject string // the subject identifier in the tokens, for the client session
}

// RedeemResult is the outcome of a redemption.
type RedeemResult struct {
	Session Session // with the client session
	Grant   Grant   // if Reused: the grant of the first use, zero if it was removed
	Reused  bool    // the code was used before: nothing was issued or changed
}

// RefreshRequest is a token request with a refresh token.
type RefreshRequest struct {
	Token    Hash          // the refresh token that the client sent
	NewToken Hash          // its successor
	Client   string        // the client that sent it
	Grace    time.Duration // repeating the exchange within this time gives the same successor
}

// RefreshResult is the outcome of a refresh.
type RefreshResult struct {
	Session  *Session // nil for an offline grant
	Grant    Grant
	Repeated bool // the token was exchanged before, within Grace: it got the same successor again
	Reused   bool // the token was exchanged before: nothing was issued or changed
}

// MaxGrants is how many grants a session may have, and how many offline grants a client may have of one user. All
// grants of a session end in one transaction, which other writes wait for.
const MaxGrants = 1000

// Grants stores grants, and redeems codes and refresh tokens.
type Grants interface {
	// Redeem redeems an authorization code in one transaction. It records the code as used until code.Expires, checks
	// the session, user, client and cutoffs, joins the client to the session, and stores the result of issue.
	// ErrRevoked if the session, user or client was revoked after code.Sequence, or if the code has expired. ErrLimit if
	// there are MaxGrants already.
	//
	// Every further use of the code sets Reused; the caller then ends the grant of the first use by EndSessions. issue
	// gets the session with the client session in it. It signs nothing and may run twice.
	Redeem(
		ctx context.Context,
		code Code,
		at time.Time,
		issue func(Session, ClientSession) (Issuance, error),
	) (RedeemResult, error)
	// Join makes the same checks as Redeem and joins the client to the session, for response types that issue tokens
	// at the authorization endpoint. It does not record the code as used.
	Join(
		ctx context.Context,
		code Code,
		at time.Time,
		issue func(Session, ClientSession) (Issuance, error),
	) (RedeemResult, error)
	// Refresh exchanges the current refresh token of a grant for its successor. It keeps the session of a
	// session-bound grant active. ErrNotFound: the token is unknown or was issued to another client. ErrRevoked: the
	// session, user, client or grant was revoked or has expired.
	//
	// A token that was exchanged before sets Reused every time; the caller then ends the grant or the session by
	// EndSessions. The store may remove an exchanged token of an offline grant when IdleTimeout has passed since the
	// exchange. Without the exchange the token would also have expired at that time.
	Refresh(
		ctx context.Context,
		r RefreshRequest,
		at time.Time,
		issue func(Grant, *Session) (Issuance, error),
	) (RefreshResult, error)
	// GrantByRefresh finds the active grant of a refresh token, current or exchanged.
	GrantByRefresh(ctx context.Context, token Hash, at time.Time) (g Grant, current bool, err error)
	// ActiveGrant finds the grant of a token that was issued in the client session sid (empty: without a session).
	// ErrNotFound if the grant or that client session was revoked or has expired.
	ActiveGrant(ctx context.Context, id, sid string, at time.Time) (Grant, error)
	// ListGrants lists a user's active grants. An empty client selects all clients, offlineOnly only offline grants.
	ListGrants(ctx context.Context, subject, client string, offlineOnly bool, at time.Time) ([]Grant, error)
}
