package postgres

import "time"

// stopwatch measures how long ago something was read. Only stopwatch reads the clock in this package, and no record
// depends on its result.
type stopwatch struct{ started time.Time }

func startStopwatch() stopwatch { return stopwatch{time.Now()} }

// elapsed returns how long the stopwatch has run.
func (w stopwatch) elapsed() time.Duration { return time.Since(w.started) }
