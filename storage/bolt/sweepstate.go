package bolt

import (
	"time"

	"github.com/curfew-id/curfew/storage"
)

// sweepState says which uses and fences Sweep may have forgotten.
type sweepState struct {
	LastDeletion      time.Time `json:"last"`  // the latest Sweep that forgot any
	LastBeforeSetback time.Time `json:"most"`  // the latest before the clock was put back
	SetbackAt         time.Time `json:"since"` // when that was noticed: what was issued later was not used then
}

var sweepStateKey = []byte("swept")

// mayHaveForgotten tells whether a use of what was issued and expires then may be among what was forgotten. While the clock is right that has expired anyway.
func (s sweepState) mayHaveForgotten(issued, expires time.Time) bool {
	return !expires.After(s.LastDeletion) || !expires.After(s.LastBeforeSetback) && !issued.After(s.SetbackAt)
}

// recordSweep notes a Sweep.
func (t *tx) recordSweep(at time.Time, forgotUse bool) {
	next := t.cache.sweepState
	switch {
	case next.LastDeletion.Sub(at) > storage.ClockStep:
		if next.LastDeletion.After(next.LastBeforeSetback) {
			next.LastBeforeSetback = next.LastDeletion
		}
		next.SetbackAt, next.LastDeletion = at, at
	case forgotUse && at.After(next.LastDeletion):
		next.LastDeletion = at
	default:
		return
	}
	t.store(meta, sweepStateKey, next)
	t.changeCache().sweepState = next
}
