package storage

import (
	"slices"
	"time"
)

// Cutoff invalidates, within one CutoffScope, everything issued before its Sequence: authorization codes, sign-ins
// under way, and client_credentials access tokens. The transaction that ends sessions writes it.
type Cutoff struct {
	Sequence  Sequence  `json:"sequence"`
	Except    SessionID `json:"except,omitempty"` // session whose codes stay valid; empty: none
	ExpiresAt time.Time `json:"expires_at"`       // from then on, Sweep may remove the cutoff
}

// CutoffScope says what a cutoff applies to. Every field that is set must match; the zero scope matches everything.
type CutoffScope struct {
	Session SessionID
	Subject string
	Client  string
}

// CutoffLifetime is how long a cutoff is kept. No authorization code is valid for so long, and no sign-in takes so
// long.
const CutoffLifetime = 2 * time.Hour

// ClientCutoffLifetime is how long a cutoff that covers one client for all users is kept. No client_credentials access
// token is valid for so long.
const ClientCutoffLifetime = 30 * 24 * time.Hour

// CutoffScopes lists the scopes for which a termination writes a cutoff. It writes none where only a single grant, only
// offline access or only expired sessions end. Sessions that are named by ID and end for all their clients need none
// either: their IDs are never used again.
func (s Selection) CutoffScopes() []CutoffScope {
	switch {
	case s.Grant != "" || s.Expired || s.OfflineOnly:
		return nil
	case len(s.Sessions) > 0 && s.Client == "": // the sessions end for all their clients
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

// IsClient reports whether the scope is one client for all users.
func (s CutoffScope) IsClient() bool { return s.Client != "" && s.Subject == "" && s.Session == "" }

// Lifetime is how long a cutoff of the scope is kept.
func (s CutoffScope) Lifetime() time.Duration {
	if s.IsClient() {
		return ClientCutoffLifetime
	}
	return CutoffLifetime
}

// CutoffScopes lists the scopes whose cutoffs may invalidate the code. Scopes without a client are not listed: a
// termination with such a scope also ends the code's session, and a code without its session cannot be redeemed.
func (c Code) CutoffScopes() []CutoffScope {
	return []CutoffScope{
		{Session: c.Session, Client: c.Client},
		{Subject: c.Subject, Client: c.Client},
		{Client: c.Client},
	}
}

// CutoffScopes lists the scopes whose cutoffs may refuse a new session, because its sign-in began before them.
func (s *Session) CutoffScopes() []CutoffScope {
	return []CutoffScope{
		{Subject: s.Subject},
		{}, // all users
	}
}

// AddCutoff adds a cutoff to the cutoffs of its scope and removes those that it covers.
func AddCutoff(list []Cutoff, added Cutoff) []Cutoff {
	kept := slices.DeleteFunc(slices.Clone(list), added.covers)
	return append(kept, added)
}

// covers reports whether c invalidates all that old does, for at least as long.
func (c Cutoff) covers(old Cutoff) bool {
	if old.Sequence > c.Sequence || old.ExpiresAt.After(c.ExpiresAt) {
		return false
	}
	return c.Except == "" || c.Except == old.Except
}

// IsCutOff reports whether a cutoff of the list invalidates what was issued in that session at the sequence issued.
// session is empty for sign-ins and client_credentials tokens.
func IsCutOff(list []Cutoff, session SessionID, issued Sequence) bool {
	return slices.ContainsFunc(list, func(c Cutoff) bool {
		excepted := session != "" && session == c.Except
		return issued < c.Sequence && !excepted
	})
}

// ExpireCutoffs splits the cutoffs of a scope into those still needed and those that Sweep may remove.
func ExpireCutoffs(list []Cutoff, now time.Time) (kept, expired []Cutoff) {
	for _, c := range list {
		if now.Before(c.ExpiresAt) {
			kept = append(kept, c)
		} else {
			expired = append(expired, c)
		}
	}
	return kept, expired
}
