package logout

import "time"

// clockWatch detects that the wall clock was set back between two readings.
type clockWatch struct {
	last time.Time // the previous reading
}

// minClockSetback is the smallest setback that the comparison with the monotonic clock detects.
const minClockSetback = time.Second

// setBack reports whether the wall clock was set back since the previous reading. The first reading counts as a
// setback, because the clock of an earlier process is not known.
func (c *clockWatch) setBack(now time.Time) bool {
	last := c.last
	c.last = now
	if last.IsZero() {
		return true
	}
	elapsed := now.Sub(last)                       // by the monotonic clock, if the readings contain it
	wallElapsed := now.Round(0).Sub(last.Round(0)) // Round removes the monotonic clock
	return wallElapsed < 0 || wallElapsed < elapsed-minClockSetback
}
