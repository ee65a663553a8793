package logout

import (
	"time"

	"github.com/curfew-id/curfew/storage"
)

// DeclaredChain is the longest time for which anything can stay trusted after the session at an upstream ended, if its
// logout token is lost: the session here lasts for its whole lifetime, and clients get tokens until then.
type DeclaredChain struct {
	Session      time.Duration // of the session here
	Limit        time.Duration // of the session here and all clients with a bound
	UnknownNames []string      // names of the clients without a bound
}

// AssessChain returns the bound over a chain of providers that ends with these clients, by their metadata and the
// configured lifetimes. A shorter session_expiry claim of the upstream makes it shorter.
func AssessChain(clients []*storage.Client, l Lifetimes) DeclaredChain {
	chain := DeclaredChain{Session: l.Session}
	longest := time.Duration(0)
	for _, c := range clients {
		if c.Disabled || !c.CanJoinSession() {
			continue
		}
		for _, bound := range []DeclaredBound{declaredTokenBound(c, l), declaredClientSessionBound(c, l)} {
			if bound.Unknown {
				chain.UnknownNames = appendNew(chain.UnknownNames, clientName(c))
			} else {
				longest = max(longest, bound.Limit)
			}
		}
	}
	chain.Limit = chain.Session + longest
	return chain
}
