package postgres

import "time"

// millis returns a time as columns store it: in milliseconds since 1970, or 0 for the zero time.
func millis(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.UnixMilli()
}

// truncate returns at in UTC and in whole milliseconds, as records contain times. The zero time stays zero.
func truncate(at time.Time) time.Time { return at.UTC().Truncate(time.Millisecond) }

// truncateAll truncates times in place.
func truncateAll(times ...*time.Time) {
	for _, at := range times {
		*at = truncate(*at)
	}
}
