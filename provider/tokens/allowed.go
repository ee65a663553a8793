package tokens

import (
	"slices"

	"github.com/curfew-id/curfew/storage"
)

// AllowedAudience returns the audiences of an access token without those that the client may not have any more. scope
// is what the token's scope still allows.
func (m *Minter) AllowedAudience(c *storage.Client, scope, tokenAudience []string) []string {
	allowed := slices.Clone(m.APIScopes.Audience(c, scope))
	if len(c.Audience) == 0 {
		allowed = append(allowed, c.ClientID, m.Issuer) // as audience and jwtAudience return for such a client
	}
	isForbidden := func(value string) bool { return !slices.Contains(allowed, value) }
	return slices.DeleteFunc(slices.Clone(tokenAudience), isForbidden)
}
