package keys

import (
	"time"

	"github.com/curfew-id/curfew/storage"
)

// State is where a key is on its way.
type State string

// The states, in order.
const (
	Pending  State = "pending"
	Active   State = "active"
	Retired  State = "retired"
	Archived State = "archived"
	Gone     State = "gone"
)

// StateOf is the state that follows from the times of k at that moment.
func StateOf(k storage.Key, at time.Time) State {
	past := func(t time.Time) bool { return !t.IsZero() && !at.Before(t) }
	switch {
	case past(k.Gone):
		return Gone
	case past(k.Archived):
		return Archived
	case past(k.Retired):
		return Retired
	case past(k.Active):
		return Active
	}
	return Pending
}
