package tokens

import (
	"slices"
	"strings"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/storage"
)

// What a client may have is asked at each use and not only when it is given, so that a client that may do less from now on does less from
// now on, with the tokens that it has.

// AllowedScope is the part of a scope that the client may have: all of it if it registered none.
func AllowedScope(c *storage.Client, scope []string) []string {
	if c.Scope == "" {
		return scope
	}
	return intersect(scope, strings.Fields(c.Scope))
}

// AllowedAudience is the part of a token's audience that the client's tokens are for.
func AllowedAudience(c *storage.Client, granted []string) []string {
	return intersect(granted, audience(c))
}

func intersect(values, allowed []string) []string {
	return slices.DeleteFunc(slices.Clone(values), func(value string) bool { return !slices.Contains(allowed, value) })
}

// MayRefresh tells whether the client may hold a refresh token of that grant.
func MayRefresh(c *storage.Client, g storage.Grant) bool {
	if g.Offline() {
		return logout.MayHoldOfflineAccess(c)
	}
	return mayRefreshInSession(c)
}

// MayUseAccessToken tells whether access tokens of that grant count; the zero grant is that of the client's own (client_credentials).
func MayUseAccessToken(c *storage.Client, g storage.Grant) bool {
	switch {
	case g.ID == "":
		return slices.Contains(c.GrantTypes, "client_credentials")
	case g.Offline():
		return logout.MayHoldOfflineAccess(c)
	}
	return true
}

// mayRefreshInSession tells whether a client gets refresh tokens that die with the session.
func mayRefreshInSession(c *storage.Client) bool {
	return c.RefreshTokens != "offline" && slices.Contains(c.GrantTypes, "refresh_token")
}
