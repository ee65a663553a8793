package storage

import (
	"context"
	"time"
)

// SessionID names a session inside Curfew. It is neither the cookie's secret nor a sid.
type SessionID string

// Session is one signed-in browser with its client sessions.
type Session struct {
	ID             SessionID       `json:"id"`
	Sequence       Sequence        `json:"-"`           // of the transaction that created it
	SecretHash     Hash            `json:"secret_hash"` // of the cookie's secret; new at every authentication
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
}

// ClientSession is one client's part of a session.
type ClientSession struct {
	Client   string    `json:"client"`
	SID      string    `json:"sid"` // random for each client session, so that a late logout token cannot end a later one
	Sequence Sequence  `json:"-"`   // of the transaction in which the client joined
	Joined   time.Time `json:"joined"`
	LastUsed time.Time `json:"last_used"` // the latest issue of tokens
	TokenExpiry
}

// TokenExpiry says until when a client may trust what it was given: the latest of each kind. Zero: none was given.
type TokenExpiry struct {
	Opaque        time.Time `json:"opaque,omitzero"`         // expiry of opaque access tokens
	JWT           time.Time `json:"jwt,omitzero"`            // exp of access tokens that resource servers check by themselves
	IDToken       time.Time `json:"id_token,omitzero"`       // exp of ID tokens
	SessionExpiry time.Time `json:"session_expiry,omitzero"` // session_expiry claim
	LastIDToken   time.Time `json:"last_id_token,omitzero"`  // when the latest ID token was issued
}

// Deadline returns when the session expires: when its idle time or its absolute lifetime is over.
func (s *Session) Deadline() time.Time {
	if idle := s.LastActive.Add(s.IdleTimeout); idle.Before(s.Expires) {
		return idle
	}
	return s.Expires
}

// ExpiryReason says which of the two ends the session at its Deadline.
func (s *Session) ExpiryReason() Reason {
	if s.Deadline().Before(s.Expires) {
		return ReasonIdle
	}
	return ReasonAbsolute
}

// NeedsTouch reports whether a use of the session at that time has to be stored: at most once in ActivityStep, and
// also if the last use was dated by a clock that was ahead.
func (s *Session) NeedsTouch(at time.Time) bool { return at.Sub(s.LastActive).Abs() >= ActivityStep }

// ClientSession returns a client's part of the session, nil if it has none.
func (s *Session) ClientSession(client string) *ClientSession {
	for i := range s.ClientSessions {
		if s.ClientSessions[i].Client == client {
			return &s.ClientSessions[i]
		}
	}
	return nil
}

// Extend moves every time of t forward to that of o; none moves back.
func (t *TokenExpiry) Extend(o TokenExpiry) {
	t.Opaque = latestTime(t.Opaque, o.Opaque)
	t.JWT = latestTime(t.JWT, o.JWT)
	t.IDToken = latestTime(t.IDToken, o.IDToken)
	t.SessionExpiry = latestTime(t.SessionExpiry, o.SessionExpiry)
	t.LastIDToken = latestTime(t.LastIDToken, o.LastIDToken)
}

// Authentication is what a user's sign-in sets on a session.
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
}

// ActivityStep is how often a session's last use is written at most.
const ActivityStep = time.Minute

// Sessions stores single sign-on sessions. No read returns a session that has expired at that time, or that a bulk
// logout under way has ended, swept or not. Only Terminations.EndSessions removes a session.
type Sessions interface {
	// CreateSession stores a new session and its audit line. s.Sequence is the store's sequence from before the user
	// was read. ErrRevoked if the user is unknown or disabled, or if all sessions of the user or of all users were
	// ended since; ErrExists.
	CreateSession(ctx context.Context, s Session, e Event) error
	// Reauthenticate gives an active session a new secret and a new authentication; id, Created and client sessions
	// stay. ErrRevoked if the session is no longer active.
	Reauthenticate(ctx context.Context, id SessionID, a Authentication, at time.Time, e Event) (Session, error)
	// SessionBySecret finds the session of a cookie.
	SessionBySecret(ctx context.Context, secret Hash, at time.Time) (Session, error)
	// Session finds a session by its id.
	Session(ctx context.Context, id SessionID, at time.Time) (Session, error)
	// SessionBySID finds the session in which a client knows that sid.
	SessionBySID(ctx context.Context, sid string, at time.Time) (Session, ClientSession, error)
	// Touch stores that a session was used, where Session.NeedsTouch says so. A session that is not active is no error.
	Touch(ctx context.Context, id SessionID, at time.Time) error
	// ListSessions lists the active sessions that sel selects. Selector.Grant and Selector.Expired do not apply.
	ListSessions(ctx context.Context, sel Selector, at time.Time, p Page) (sessions []Session, next string, err error)
	// CountSessions returns how many sessions are stored, expired ones included.
	CountSessions(ctx context.Context) (int, error)
}
