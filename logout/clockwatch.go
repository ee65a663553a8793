package logout

import "time"

// clockWatch notices that the clock was put back between two readings.
type clockWatch struct {
	last time.Time
}

// minClockSetback is the smallest step back that is noticed against a monotonic clock.
const minClockSetback = time.Second

// setBack reports whether the clock was put back since the reading before. The first reading counts as a setback,
// because nothing is known about the clock of the process before.
func (c *clockWatch) setBack(now time.Time) bool {
	last := c.last
	c.last = now
	if last.IsZero() {
		return true
	}
	elapsed := now.Sub(last) // by the monotonic clock, where the readings have one
	shown := now.Round(0).Sub(last.Round(0))
	return shown < 0 || shown < elapsed-minClockSetback
}
