package logout

import "github.com/curfew-id/curfew/storage"

// SelectorForMetadataChange returns the selector of the sessions and grants that a change of a client's metadata ends.
// All client sessions and grants of the client end if it can no longer join sessions, or if its subject identifiers
// change: the client must not link the new ones to the old ones. Offline access ends if the client may no longer have
// it. found is false if the change ends nothing. A smaller scope, for example, ends nothing: it applies at the next use
// of a grant.
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
