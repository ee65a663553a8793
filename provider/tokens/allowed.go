package tokens

import (
	"slices"
	"strings"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/storage"
)

// What a client may have is asked at each use and not only when it is given, so that a client that may do less from now on does less from
// now on, with the tokens that it has.

// Within is the part of a scope that the client may have: all of it if it registered none.
func Within(c *storage.Client, scope []string) []string {
	if c.Scope == "" {
		return scope
	}
	return common(scope, strings.Fields(c.Scope))
}

// ForWhom is the part of a token's audience that the client's tokens are for.
func ForWhom(c *storage.Client, given []string) []string { return common(given, audience(c)) }

func common(given, allowed []string) []string {
	return slices.DeleteFunc(slices.Clone(given), func(one string) bool { return !slices.Contains(allowed, one) })
}

// MayRefresh tells whether the client may hold a refresh token of that grant.
func MayRefresh(c *storage.Client, g storage.Grant) bool {
	if g.Offline() {
		return logout.MayHoldOffline(c)
	}
	return refreshInSession(c)
}

// MayUse tells whether access tokens of that grant count; the zero grant is that of the client's own (client_credentials).
func MayUse(c *storage.Client, g storage.Grant) bool {
	switch {
	case g.ID == "":
		return slices.Contains(c.GrantTypes, "client_credentials")
	case g.Offline():
		return logout.MayHoldOffline(c)
	}
	return true
}

// refreshInSession tells whether a client gets refresh tokens that die with the session.
func refreshInSession(c *storage.Client) bool {
	return c.RefreshTokens != "offline" && slices.Contains(c.GrantTypes, "refresh_token")
}
