package storage

import "time"

// ClockWatch detects that the wall clock was set back between two readings.
type ClockWatch struct {
	last time.Time // the previous reading
}

// minClockSetback is the smallest setback that the comparison with the monotonic clock detects.
const minClockSetback = time.Second

// SetBack reports whether the wall clock was set back since the previous reading. The first reading counts as a
// setback, because the clock of an earlier process is not known.
func (c *ClockWatch) SetBack(now time.Time) bool {
	last := c.last
	c.last = now
	if last.IsZero() {
		return true
	}
	elapsed := now.Sub(last)                       // by the monotonic clock, if the readings contain it
	wallElapsed := now.Round(0).Sub(last.Round(0)) // Round removes the monotonic clock
	return wallElapsed < 0 || wallElapsed < elapsed-minClockSetback
}

// Forget makes the next reading count as a setback.
func (c *ClockWatch) Forget() { c.last = time.Time{} }
