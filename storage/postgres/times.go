package postgres

import "time"

// millis returns a time as a column has it: milliseconds since 1970, 0 for the zero time.
func millis(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.UnixMilli()
}

// truncate returns at in whole milliseconds and UTC, as the store keeps times. The zero time stays zero.
func truncate(at time.Time) time.Time { return at.UTC().Truncate(time.Millisecond) }

// truncateAll truncates times in place.
func truncateAll(times ...*time.Time) {
	for _, at := range times {
		*at = truncate(*at)
	}
}
