package keys

import (
	"time"

	"github.com/curfew-id/curfew/storage"
)

// State is the state of a key. The package comment explains the states.
type State string

// The states, in order.
const (
	Pending   State = "pending"
	Active    State = "active"
	Retired   State = "retired"
	Archived  State = "archived"
	Removable State = "gone"
)

// StateOf returns the state of k at a time.
func StateOf(k storage.Key, at time.Time) State {
	reached := func(t time.Time) bool { return !t.IsZero() && !at.Before(t) }
	switch {
	case reached(k.RemovableAt):
		return Removable
	case reached(k.ArchivedAt):
		return Archived
	case reached(k.RetiredAt):
		return Retired
	case reached(k.ActiveAt):
		return Active
	}
	return Pending
}
