package logout

import "github.com/curfew-id/curfew/storage"

// SelectorForMetadataChange returns what a change of a client's metadata ends: everything that the client has, if it can no longer join
// sessions or if it now knows users by other subjects, which must not be linked to the earlier ones; its offline access, if it may have none.
// It is nothing otherwise: a smaller scope or another kind of refresh token counts at the next use of what the client has.
func SelectorForMetadataChange(before, after *storage.Client) (sel storage.Selector, found bool) {
	switch {
	case before.CanJoinSession() && !after.CanJoinSession(),
		before.UsesPairwiseSubjects() != after.UsesPairwiseSubjects(),
		before.SectorHost != after.SectorHost:
		return storage.Selector{Client: after.ClientID, IncludeOffline: true}, true
	case before.MayHoldOfflineAccess() && !after.MayHoldOfflineAccess():
		return storage.Selector{Client: after.ClientID, IncludeOffline: true, OfflineOnly: true}, true
	}
	return sel, false
}
