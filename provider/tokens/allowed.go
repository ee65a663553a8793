package tokens

import (
	"slices"

	"github.com/curfew-id/curfew/storage"
)

// AllowedAudience returns the audiences of an access token without those that the client may not have any more.
func (m *Minter) AllowedAudience(c *storage.Client, tokenAudience []string) []string {
	allowed := slices.Clone(audience(c))
	if len(c.Audience) == 0 {
		allowed = append(allowed, m.Issuer) // as jwtAudience returns for such a client
	}
	isForbidden := func(value string) bool { return !slices.Contains(allowed, value) }
	return slices.DeleteFunc(slices.Clone(tokenAudience), isForbidden)
}
