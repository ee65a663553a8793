package logout

import "github.com/curfew-id/curfew/storage"

// SelectorForMetadataChange is what a change of a client's metadata ends: all that it has, if it can take no part in sessions any more; its offline
// access, if it may keep none. It is nothing otherwise: a smaller scope or another kind of refresh token counts at the next use of
// what the client has, and leaves the rest.
func SelectorForMetadataChange(before, after *storage.Client) (sel storage.Selector, found bool) {
	switch {
	case before.CanJoinSession() && !after.CanJoinSession():
		return storage.Selector{Client: after.ClientID, IncludeOffline: true}, true
	case before.MayHoldOfflineAccess() && !after.MayHoldOfflineAccess():
		return storage.Selector{Client: after.ClientID, IncludeOffline: true, OfflineOnly: true}, true
	}
	return sel, false
}
