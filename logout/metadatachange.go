package logout

import "github.com/curfew-id/curfew/storage"

// SelectorForMetadataChange returns what a change of a client's metadata ends. Everything the client has ends if it
// can no longer join sessions, or if it now knows users by other subjects, which must not be linked to the earlier
// ones. Its offline access ends if it may no longer hold any. found is false if the change ends nothing: a smaller
// scope or other refresh_tokens count at the next use of what the client has.
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
