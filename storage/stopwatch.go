package storage

import "time"

// Stopwatch measures how long a store waits, and how long ago something was. In this package and in the stores only
// Stopwatch reads the clock, and no record depends on its result.
type Stopwatch struct{ started time.Time }

// StartStopwatch returns a running stopwatch.
func StartStopwatch() Stopwatch { return Stopwatch{time.Now()} }

// Elapsed returns how long the stopwatch has run. For the zero Stopwatch it is longer than any pause.
func (w Stopwatch) Elapsed() time.Duration { return time.Since(w.started) }
