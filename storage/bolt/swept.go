package bolt

import (
	"time"

	"github.com/curfew-id/curfew/storage"
)

// swept says which uses and fences Sweep may have forgotten.
type swept struct {
	Last  time.Time `json:"last"`  // the latest Sweep that forgot any
	Most  time.Time `json:"most"`  // the latest before the clock was put back
	Since time.Time `json:"since"` // when that was noticed: what was issued later was not used then
}

var sweptKey = []byte("swept")

// forgot tells whether a use of what was issued and expires then may be among what was forgotten. While the clock is right that has expired anyway.
func (s swept) forgot(issued, expires time.Time) bool {
	return !expires.After(s.Last) || !expires.After(s.Most) && !issued.After(s.Since)
}

// remember notes a Sweep.
func (t *tx) remember(at time.Time, forgets bool) {
	next := t.memory.swept
	switch {
	case next.Last.Sub(at) > storage.ClockStep:
		if next.Last.After(next.Most) {
			next.Most = next.Last
		}
		next.Since, next.Last = at, at
	case forgets && at.After(next.Last):
		next.Last = at
	default:
		return
	}
	t.store(meta, sweptKey, next)
	t.change().swept = next
}
