package storage

import (
	"context"
	"time"
)

// SessionID identifies a session inside Curfew. It is neither the secret in the cookie nor a sid.
type SessionID string

// Session is one signed-in browser with its client sessions.
type Session struct {
	ID             SessionID       `json:"id"`
	Sequence       Sequence        `json:"-"`           // of the transaction that created it
	SecretHash     Hash            `json:"secret_hash"` // of the secret in the cookie; every authentication changes it
	Subject        string          `json:"sub"`
	AuthTime       time.Time       `json:"auth_time"`
	AMR            []string        `json:"amr,omitempty"`
	ACR            string          `json:"acr,omitempty"`
	Created        time.Time       `json:"created"`
	LastActive     time.Time       `json:"last_active"`
	IdleTimeout    time.Duration   `json:"idle_timeout"` // the session expires this long after LastActive
	Expires        time.Time       `json:"expires_at"`   // the end of its absolute lifetime
	RememberMe     bool            `json:"remember_me,omitempty"`
	UserAgent      string          `json:"user_agent,omitempty"` // at most 512 bytes
	Address        string          `json:"address,omitempty"`    // the browser's, at sign-in
	ClientSessions []ClientSession `json:"client_sessions,omitempty"`

	Upstream UpstreamSession `json:"upstream,omitzero"` // of a sign-in with an account of another provider
}

// ClientSession is one client's part of a session.
type ClientSession struct {
	Client   string    `json:"client"`
	SID      string    `json:"sid"` // random, so that a late logout token cannot end a newer client session
	Sequence Sequence  `json:"-"`   // of the transaction in which the client joined
	Joined   time.Time `json:"joined"`
	LastUsed time.Time `json:"last_used"` // when the client got tokens last
	// ClientSubject is the user's subject identifier in the tokens of this client session (Core §8). A logout token
	// repeats it. Empty: the client got no tokens yet, or an earlier release wrote the record.
	ClientSubject string `json:"client_sub,omitempty"`
	TokenExpiry
}

// TokenExpiry records the latest expiry of each kind of token that a client got. Zero: it got none.
type TokenExpiry struct {
	Opaque        time.Time `json:"opaque,omitzero"`         // expiry of opaque access tokens
	JWT           time.Time `json:"jwt,omitzero"`            // exp of JWT access tokens
	IDToken       time.Time `json:"id_token,omitzero"`       // exp of ID tokens
	SessionExpiry time.Time `json:"session_expiry,omitzero"` // session_expiry claim of ID tokens
	LastIDToken   time.Time `json:"last_id_token,omitzero"`  // when the latest ID token was issued
}

// Deadline returns when the session expires: at its idle timeout or at the end of its absolute lifetime.
func (s *Session) Deadline() time.Time {
	if idle := s.LastActive.Add(s.IdleTimeout); idle.Before(s.Expires) {
		return idle
	}
	return s.Expires
}

// ExpiryReason returns the reason why the session expires at its Deadline.
func (s *Session) ExpiryReason() Reason {
	deadline := s.Deadline()
	switch {
	case deadline.Before(s.Expires):
		return ReasonIdle
	case !s.Upstream.Expires.IsZero() && !deadline.Before(s.Upstream.Expires):
		return ReasonUpstreamExpired
	}
	return ReasonAbsolute
}

// NeedsTouch reports whether a use of the session at that time has to be stored. That is at most once in ActivityStep,
// or in a tenth of a shorter idle timeout: so a session in use never expires by disuse. Abs covers a LastActive that a
// clock which was ahead has set.
func (s *Session) NeedsTouch(at time.Time) bool {
	step := ActivityStep
	if s.IdleTimeout > 0 {
		step = min(step, s.IdleTimeout/10)
	}
	return at.Sub(s.LastActive).Abs() >= step
}

// ClientSession returns a pointer to a client's client session, or nil.
func (s *Session) ClientSession(client string) *ClientSession {
	for i := range s.ClientSessions {
		if s.ClientSessions[i].Client == client {
			return &s.ClientSessions[i]
		}
	}
	return nil
}

// Extend sets each time of t to the later one of t and other.
func (t *TokenExpiry) Extend(other TokenExpiry) {
	t.Opaque = latestTime(t.Opaque, other.Opaque)
	t.JWT = latestTime(t.JWT, other.JWT)
	t.IDToken = latestTime(t.IDToken, other.IDToken)
	t.SessionExpiry = latestTime(t.SessionExpiry, other.SessionExpiry)
	t.LastIDToken = latestTime(t.LastIDToken, other.LastIDToken)
}

// Authentication contains the fields of a session that a user's sign-in sets.
type Authentication struct {
	SecretHash  Hash
	AuthTime    time.Time
	AMR         []string
	ACR         string
	RememberMe  bool
	IdleTimeout time.Duration
	Expires     time.Time
	UserAgent   string
	Address     string

	Upstream UpstreamSession // zero: the upstream session of the earlier sign-in stays
	Sequence Sequence        // with Upstream: Order.Sequence from before the sign-in
}

// Reauthenticated returns the session after a new authentication at that time.
func (s Session) Reauthenticated(a Authentication, at time.Time) Session {
	s.SecretHash = a.SecretHash
	s.AuthTime = a.AuthTime
	s.AMR = a.AMR
	s.ACR = a.ACR
	s.RememberMe = a.RememberMe
	s.IdleTimeout = a.IdleTimeout
	s.UserAgent = a.UserAgent
	s.Address = a.Address
	s.LastActive = at
	if !a.Upstream.IsZero() {
		s.Upstream = a.Upstream
	}
	s.Expires = s.Upstream.Limit(a.Expires)
	return s
}

// ActivityStep is the usual time between two writes of a session's LastActive.
const ActivityStep = time.Minute

// Sessions stores single sign-on sessions. No method returns a session that has expired, or that a bulk logout has
// ended, even if its record has not been removed yet. Only Terminations.EndSessions removes a session.
type Sessions interface {
	// CreateSession stores a new session and its audit line. The caller sets s.Sequence to what Order.Sequence
	// returned before it read the user. ErrRevoked if the user is unknown or disabled, or if all sessions of the user,
	// of all users or of s.Upstream were ended after that. ErrExists.
	CreateSession(ctx context.Context, s Session, e Event) error
	// Reauthenticate sets a new secret and a new authentication on an active session. The id, Created and the client
	// sessions stay. ErrRevoked if the session is no longer active, or if the sessions of a.Upstream were ended after
	// a.Sequence.
	Reauthenticate(ctx context.Context, id SessionID, a Authentication, at time.Time, e Event) (Session, error)
	// SessionBySecret finds the session of a cookie by the hash of its secret.
	SessionBySecret(ctx context.Context, secret Hash, at time.Time) (Session, error)
	// Session finds a session by its id.
	Session(ctx context.Context, id SessionID, at time.Time) (Session, error)
	// SessionBySID finds a client session by its sid, and the session that it belongs to.
	SessionBySID(ctx context.Context, sid string, at time.Time) (Session, ClientSession, error)
	// Touch stores that a session was used, if Session.NeedsTouch. It ignores a session that is not active.
	Touch(ctx context.Context, id SessionID, at time.Time) error
	// ListSessions lists the active sessions that sel selects. It ignores Selector.Grant and Selector.Expired.
	ListSessions(ctx context.Context, sel Selector, at time.Time, p Page) (sessions []Session, next string, err error)
	// CountSessions returns how many sessions are stored, expired ones included.
	CountSessions(ctx context.Context) (int, error)
}
