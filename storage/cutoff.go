package storage

import (
	"maps"
	"slices"
	"time"
)

// Cutoff invalidates, within one CutoffScope, everything that was issued before its Sequence: authorization codes,
// sign-ins that are under way, and client_credentials access tokens. The transaction that ends sessions writes it.
type Cutoff struct {
	Sequence  Sequence  `json:"sequence"`
	Except    SessionID `json:"except,omitempty"` // the codes of this session stay valid; empty: no exception
	ExpiresAt time.Time `json:"expires_at"`       // Sweep may remove the cutoff from this time on
}

// CutoffScope says what a cutoff applies to. Every field that is set must match; the zero scope matches everything.
type CutoffScope struct {
	Session SessionID // or UpstreamSelector.Scope: the sessions that came from there
	Subject string
	Client  string
}

// CutoffLifetime is how long a store keeps a cutoff. Authorization codes expire and sign-ins time out before that.
const CutoffLifetime = 2 * time.Hour

// ClientCutoffLifetime is how long a store keeps a cutoff of one client for all users. client_credentials access
// tokens expire before that.
const ClientCutoffLifetime = 30 * 24 * time.Hour

// CutoffScopes lists the scopes for which a termination writes a cutoff. It writes none if it ends only one grant,
// only offline access or only expired sessions. Whole sessions that are selected by ID need none either: their IDs
// are never used again.
func (s Selection) CutoffScopes() []CutoffScope {
	switch {
	case s.Grant != "" || s.Expired || s.OfflineOnly:
		return nil
	case s.Unadmitted && s.Client != "": // codes of users that the client does not admit: see Code.MayRedeem
		return nil
	case s.Unadmitted:
		scopes := make([]CutoffScope, 0, len(s.NotAdmitted))
		for _, client := range slices.Sorted(maps.Keys(s.NotAdmitted)) {
			scopes = append(scopes, CutoffScope{Subject: s.Subject, Client: client})
		}
		return scopes
	case !s.Upstream.IsZero():
		return []CutoffScope{{Session: s.Upstream.Scope()}}
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

// Lifetime returns how long a store keeps a cutoff of the scope.
func (s CutoffScope) Lifetime() time.Duration {
	if s.IsClient() {
		return ClientCutoffLifetime
	}
	return CutoffLifetime
}

// CutoffScopes lists the scopes whose cutoffs may invalidate the code. It lists no scope without a client: a
// termination with such a scope also ends the code's session, and a code cannot be redeemed without its session.
func (c Code) CutoffScopes() []CutoffScope {
	return []CutoffScope{
		{Session: c.Session, Client: c.Client},
		{Subject: c.Subject, Client: c.Client},
		{Client: c.Client},
	}
}

// CutoffScopes lists the scopes whose cutoffs may refuse a new session: its sign-in began before the cutoff.
func (s *Session) CutoffScopes() []CutoffScope {
	scopes := []CutoffScope{
		{Subject: s.Subject},
		{}, // all users
	}
	return append(scopes, s.Upstream.CutoffScopes()...)
}

// CutoffScopes lists the scopes whose cutoffs may refuse a sign-in that came from the upstream session.
func (u UpstreamSession) CutoffScopes() (scopes []CutoffScope) {
	for _, scope := range u.Scopes() {
		scopes = append(scopes, CutoffScope{Session: scope})
	}
	return scopes
}

// AddCutoff adds a cutoff to the cutoffs of its scope and removes the ones that it makes redundant.
func AddCutoff(list []Cutoff, added Cutoff) []Cutoff {
	kept := slices.DeleteFunc(slices.Clone(list), added.covers)
	return append(kept, added)
}

// covers reports whether c invalidates everything that old invalidates, for at least as long.
func (c Cutoff) covers(old Cutoff) bool {
	if old.Sequence > c.Sequence || old.ExpiresAt.After(c.ExpiresAt) {
		return false
	}
	return c.Except == "" || c.Except == old.Except
}

// IsCutOff reports whether a cutoff of the list invalidates a code, sign-in or token that was issued at the sequence
// issued. session is the session of a code; it is empty for sign-ins and client_credentials tokens.
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
