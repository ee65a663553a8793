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
	// CountAttempt reads the counters of keys calls decide, which may change them in place, and stores them, in one
	// transaction. decide is pure; its error is returned as it is, with nothing stored.
	CountAttempt(ctx context.Context, keys []Hash, decide func(counters []Counter) error) error
}
