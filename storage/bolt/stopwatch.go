package bolt

import "time"

// stopwatch measures how long the disk takes and how long ago an attempt was. Only stopwatch reads the clock in this
// package, and no record depends on its result.
type stopwatch struct{ started time.Time }

func startStopwatch() stopwatch { return stopwatch{time.Now()} }

// elapsed returns how long the stopwatch has run. For the zero stopwatch it is longer than any pause.
func (w stopwatch) elapsed() time.Duration { return time.Since(w.started) }
