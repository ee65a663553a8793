package storage

import (
	"context"
	"time"
)

// SessionID names a session inside Curfew. It is neither the cookie's secret nor a sid.
type SessionID string

// Session is one signed-in browser and the relying parties that hold it.
type Session struct {
	ID             SessionID       `json:"id"`
	SecretHash     Hash            `json:"secret_hash"` // of the cookie's secret; new at every authentication
	Subject        string          `json:"sub"`
	AuthTime       time.Time       `json:"auth_time"`
	AMR            []string        `json:"amr,omitempty"`
	ACR            string          `json:"acr,omitempty"`
	Created        time.Time       `json:"created"`
	LastActive     time.Time       `json:"last_active"`
	IdleTimeout    time.Duration   `json:"idle_timeout"` // dead this long after LastActive
	Expires        time.Time       `json:"expires_at"`   // the absolute end
	RememberMe     bool            `json:"remember_me,omitempty"`
	UserAgent      string          `json:"user_agent,omitempty"` // at most 512 bytes
	Address        string          `json:"address,omitempty"`    // the browser's, at sign-in
	ClientSessions []ClientSession `json:"client_sessions,omitempty"`
}

// ClientSession is a relying party's share of a session.
type ClientSession struct {
	Client     string    `json:"client"`
	SID        string    `json:"sid"`                  // random for each membership, so that no late logout token can end a later one
	CodeIssued time.Time `json:"code_issued,omitzero"` // when the code was issued by which it joined: an ending as of then or later ends it
	Joined     time.Time `json:"joined"`
	LastUsed   time.Time `json:"last_used"` // the latest issue of tokens
	TokenExpiry
}

// TokenExpiry says until when a relying party may trust what it was given: the latest of each kind. Zero: none was given.
type TokenExpiry struct {
	Opaque        time.Time `json:"opaque,omitzero"`         // expiry of opaque access tokens
	JWT           time.Time `json:"jwt,omitzero"`            // exp of access tokens that resource servers check by themselves
	IDToken       time.Time `json:"id_token,omitzero"`       // exp of ID tokens
	SessionExpiry time.Time `json:"session_expiry,omitzero"` // session_expiry claim
	LastIDToken   time.Time `json:"last_id_token,omitzero"`  // the latest ID token went out
}

// Deadline is the instant from which the session is dead by itself.
func (s *Session) Deadline() time.Time {
	if idle := s.LastActive.Add(s.IdleTimeout); idle.Before(s.Expires) {
		return idle
	}
	return s.Expires
}

// ExpiryReason is what Deadline is: the end of an idle time, or of the absolute lifetime.
func (s *Session) ExpiryReason() Reason {
	if s.Deadline().Before(s.Expires) {
		return ReasonIdle
	}
	return ReasonAbsolute
}

// ClientSession finds a relying party's share, nil if it has none.
func (s *Session) ClientSession(client string) *ClientSession {
	for i := range s.ClientSessions {
		if s.ClientSessions[i].Client == client {
			return &s.ClientSessions[i]
		}
	}
	return nil
}

// Extend moves every instant of t forward to that of o; none moves back.
func (t *TokenExpiry) Extend(o TokenExpiry) {
	for _, p := range [][2]*time.Time{{&t.Opaque, &o.Opaque}, {&t.JWT, &o.JWT}, {&t.IDToken, &o.IDToken}, {&t.SessionExpiry, &o.SessionExpiry}, {&t.LastIDToken, &o.LastIDToken}} {
		if p[1].After(*p[0]) {
			*p[0] = *p[1]
		}
	}
}

// Authentication is what a person's sign-in sets on a session.
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

// ActivityStep is how often at most a session's last use is written.
const ActivityStep = time.Minute

// Sessions keeps single-sign-on sessions. Every read leaves out what is past its deadline or fenced off at that moment, swept or
// not. There is no method that removes one but EndSessions.
type Sessions interface {
	// CreateSession stores a new session and its audit line. ErrEnded if the user is unknown or disabled, or
	// if an ending of all the user's sessions or of everybody's came between s.Created and now; ErrExists.
	CreateSession(ctx context.Context, s Session, e Event) error
	// Reauthenticate gives a living session a new secret and a new authentication; id, Created and members stay. ErrEnded if it is gone.
	Reauthenticate(ctx context.Context, id SessionID, a Authentication, at time.Time, e Event) (Session, error)
	// SessionBySecret finds the session of a cookie.
	SessionBySecret(ctx context.Context, secret Hash, at time.Time) (Session, error)
	// Session finds one by its id.
	Session(ctx context.Context, id SessionID, at time.Time) (Session, error)
	// SessionBySID finds the session in which a relying party knows that sid.
	SessionBySID(ctx context.Context, sid string, at time.Time) (Session, ClientSession, error)
	// Touch notes that a session was used, at most once in ActivityStep. Nothing to note is not an error.
	Touch(ctx context.Context, id SessionID, at time.Time) error
	// ListSessions lists the living sessions that sel selects. Selector.Grant and Selector.Overdue do not apply.
	ListSessions(ctx context.Context, sel Selector, at time.Time, p Page) (sessions []Session, next string, err error)
	// CountSessions is how many are stored, overdue ones included.
	CountSessions(ctx context.Context) (int, error)
}
