package tokens

import (
	"slices"

	"github.com/curfew-id/curfew/storage"
)

// AllowedAudience is the part of a token's audience that the client's tokens are for.
func AllowedAudience(c *storage.Client, granted []string) []string {
	allowed := audience(c)
	return slices.DeleteFunc(slices.Clone(granted), func(value string) bool { return !slices.Contains(allowed, value) })
}
