package logout

import (
	"slices"

	"github.com/curfew-id/curfew/storage"
)

// SelectorForScope returns the selector of a logout with that scope. session is the session of the browser. client is
// the client that requested the logout; empty: the user did.
func SelectorForScope(scope storage.LogoutScope, session *storage.Session, client string) storage.Selector {
	switch scope {
	case storage.ScopeClient:
		return storage.Selector{Sessions: []storage.SessionID{session.ID}, Client: client}
	case storage.ScopeAll:
		return storage.Selector{Subject: session.Subject}
	}
	return storage.Selector{Sessions: []storage.SessionID{session.ID}}
}

// ReasonForScope returns the reason of a logout that a client or the user requested.
func ReasonForScope(scope storage.LogoutScope) storage.Reason {
	if scope == storage.ScopeClient {
		return storage.ReasonClientSignOut
	}
	return storage.ReasonLogout
}

// ScopeChoices lists the scopes that the user can choose from, the preferred one first. It contains ScopeClient only if
// the client has a client session.
func ScopeChoices(preferred storage.LogoutScope, session *storage.Session, client string) []storage.LogoutScope {
	choices := []storage.LogoutScope{storage.ScopeSession, storage.ScopeAll}
	if session.ClientSession(client) != nil {
		choices = append(choices, storage.ScopeClient)
	}
	if i := slices.Index(choices, preferred); i > 0 {
		choices = slices.Insert(slices.Delete(choices, i, i+1), 0, preferred)
	}
	return choices
}
