package logout

import "github.com/curfew-id/curfew/storage"

// Narrowed is what a change of a client's metadata ends: all that it has, if it can take no part in sessions any more; its offline
// access, if it may keep none. It is nothing otherwise: a smaller scope or another kind of refresh token counts at the next use of
// what the client has, and leaves the rest.
func Narrowed(before, after *storage.Client) (sel storage.Selector, ends bool) {
	switch {
	case joins(before) && !joins(after):
		return storage.Selector{Client: after.ClientID, Offline: true}, true
	case MayHoldOffline(before) && !MayHoldOffline(after):
		return storage.Selector{Client: after.ClientID, Offline: true, OfflineOnly: true}, true
	}
	return sel, false
}
