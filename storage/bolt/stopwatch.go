package bolt

import "time"

// stopwatch measures how long the disk takes and how long ago an attempt was. It is the only place where the store
// reads a clock, and no record depends on it.
type stopwatch struct{ started time.Time }

func startStopwatch() stopwatch { return stopwatch{time.Now()} }

// elapsed is how long the stopwatch has run; one that was never started has run for ever.
func (w stopwatch) elapsed() time.Duration { return time.Since(w.started) }
