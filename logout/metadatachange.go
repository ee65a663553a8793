package logout

import "github.com/curfew-id/curfew/storage"

// SelectorForMetadataChange returns the selector of the sessions and grants that a change of a client's metadata ends.
// All client sessions and grants of the client end if it can no longer join sessions, or if its subject identifiers
// change: the client must not link the new ones to the old ones. Offline access ends if the client may no longer have
// it. If the client admits fewer groups, the client sessions and grants of users whom it no longer admits end. found is
// false if the change ends nothing. A smaller scope, for example, ends nothing: it applies at the next use
// of a grant.
func SelectorForMetadataChange(before, after *storage.Client) (sel storage.Selector, found bool) {
	losesOffline := before.MayHoldOfflineAccess() && !after.MayHoldOfflineAccess()
	admitsFewer := after.AdmitsFewer(before)
	switch {
	case losesOffline && admitsFewer: // one selector cannot select both parts alone
		return storage.Selector{Client: after.ClientID, IncludeOffline: true}, true
	case before.CanJoinSession() && !after.CanJoinSession(),
		before.UsesPairwiseSubjects() != after.UsesPairwiseSubjects(),
		before.SectorHost != after.SectorHost:
		return storage.Selector{Client: after.ClientID, IncludeOffline: true}, true
	case admitsFewer:
		return storage.Selector{Client: after.ClientID, IncludeOffline: true, Unadmitted: true}, true
	case losesOffline:
		return storage.Selector{Client: after.ClientID, IncludeOffline: true, OfflineOnly: true}, true
	}
	return sel, false
}
