package tokens

import (
	"slices"

	"github.com/curfew-id/curfew/storage"
)

// AllowedAudience returns the granted audiences that the client's access tokens may still have.
func (m *Minter) AllowedAudience(c *storage.Client, granted []string) []string {
	allowed := audience(c)
	isForbidden := func(value string) bool {
		return !slices.Contains(allowed, value) && (len(c.Audience) > 0 || value != m.Issuer)
	}
	return slices.DeleteFunc(slices.Clone(granted), isForbidden)
}
