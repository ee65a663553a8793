package storage

import (
	"context"
	"time"
)

// Counter counts attempts.
type Counter struct {
	Count uint32
	Last  time.Time // whole seconds
}

// AttemptSlots is how many counters there are: keys share them, so that attempts cannot make the store grow.
const AttemptSlots = 1 << 16

// Attempts counts attempts to sign in.
type Attempts interface {
	// CountAttempt reads the counters of keys and stores what judge makes of them, in one transaction. judge is pure, may change the counters
	// in place, and its error is returned as it is, with nothing stored.
	CountAttempt(ctx context.Context, keys []Hash, judge func(counters []Counter) error) error
}
