package storage

import (
	"context"
	"time"
)

// Counter counts attempts to sign in.
type Counter struct {
	Count uint32
	Last  time.Time // time of the latest attempt, in whole seconds
}

// AttemptSlots is the number of counters that a store keeps. Several keys use the same counter, so that attempts
// cannot make the store grow.
const AttemptSlots = 1 << 16

// Attempts counts attempts to sign in.
type Attempts interface {
	// CountAttempt reads the counters of the keys, passes them to decide, and stores them again, in one transaction.
	// decide may change the counters in place. It is pure. If it returns an error, CountAttempt stores nothing and
	// returns that error unchanged.
	CountAttempt(ctx context.Context, keys []Hash, decide func(counters []Counter) error) error
}
