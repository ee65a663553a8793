package storage

import (
	"slices"
	"time"
)

// Cutoff keeps out what was issued before it within one scope: authorization codes, sign-ins that had begun, and the
// tokens that a client has for itself. The transaction that ends sessions writes it.
type Cutoff struct {
	Sequence  Sequence  `json:"sequence"`
	Except    SessionID `json:"except,omitempty"` // codes of this session still count
	ExpiresAt time.Time `json:"expires_at"`       // Sweep may remove it from then on
}

// CutoffScope names what a cutoff applies to: every field that is set has to match, and the zero scope is everything.
type CutoffScope struct {
	Session SessionID
	Subject string
	Client  string
}

// CutoffLifetime is how long a cutoff is kept: longer than any authorization code or sign-in takes.
const CutoffLifetime = 2 * time.Hour

// ClientCutoffLifetime is how long the cutoff of one client everywhere is kept: longer than the tokens live that the client
// has for itself (client_credentials).
const ClientCutoffLifetime = 30 * 24 * time.Hour

// CutoffScopes lists the scopes in which a termination leaves a cutoff. Named sessions that end as a whole need none: no
// later session has the same id. Nor do single grants, expired sessions, and offline access that ends alone.
func (s Selection) CutoffScopes() []CutoffScope {
	switch {
	case s.Grant != "" || s.Expired || s.OfflineOnly:
		return nil
	case len(s.Sessions) > 0 && s.Client == "":
		return nil
	case len(s.Sessions) > 0:
		scopes := make([]CutoffScope, len(s.Sessions))
		for i, id := range s.Sessions {
			scopes[i] = CutoffScope{Session: id, Client: s.Client}
		}
		return scopes
	case s.Subject != "" || s.SpansAllUsers():
		return []CutoffScope{{Subject: s.Subject, Client: s.Client}}
	default:
		return nil
	}
}

// IsClient reports whether the scope is one client at all users.
func (s CutoffScope) IsClient() bool { return s.Client != "" && s.Subject == "" && s.Session == "" }

// Lifetime is how long a cutoff of the scope is kept.
func (s CutoffScope) Lifetime() time.Duration {
	if s.IsClient() {
		return ClientCutoffLifetime
	}
	return CutoffLifetime
}

// CutoffScopes lists the scopes whose cutoffs may keep the code out. Cutoffs of whole users and of everything are not among
// them: they end the code's session.
func (c Code) CutoffScopes() []CutoffScope {
	return []CutoffScope{
		{Session: c.Session, Client: c.Client},
		{Subject: c.Subject, Client: c.Client},
		{Client: c.Client},
	}
}

// CutoffScopes lists the scopes whose cutoffs may keep a new session out.
func (s *Session) CutoffScopes() []CutoffScope { return []CutoffScope{{Subject: s.Subject}, {}} }

// AddCutoff adds a cutoff to those of the same scope and drops the ones that it makes needless.
func AddCutoff(list []Cutoff, c Cutoff) []Cutoff {
	kept := slices.DeleteFunc(slices.Clone(list), func(old Cutoff) bool {
		return old.Sequence <= c.Sequence && !old.ExpiresAt.After(c.ExpiresAt) && (c.Except == "" || old.Except == c.Except)
	})
	return append(kept, c)
}

// IsCutOff reports whether a cutoff of the list keeps out what was issued at that sequence in a session (empty: in none).
func IsCutOff(list []Cutoff, session SessionID, issued Sequence) bool {
	return slices.ContainsFunc(list, func(c Cutoff) bool {
		return issued < c.Sequence && (session == "" || c.Except != session)
	})
}

// ExpireCutoffs splits the cutoffs of a scope into those still needed and those that Sweep may remove.
func ExpireCutoffs(list []Cutoff, at time.Time) (kept, expired []Cutoff) {
	for _, c := range list {
		if at.Before(c.ExpiresAt) {
			kept = append(kept, c)
		} else {
			expired = append(expired, c)
		}
	}
	return kept, expired
}
