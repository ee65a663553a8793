package bolt

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// keyparts.go builds and reads the keys of tables.

// joinKey joins the parts of a key with the byte 0. Only the last part may contain that byte.
func joinKey[P ~string | ~[]byte](parts ...P) []byte {
	length := len(parts) - 1
	for _, p := range parts {
		length += len(p)
	}
	key := make([]byte, 0, length)
	for i, p := range parts {
		if i > 0 {
			key = append(key, 0)
		}
		key = append(key, p...)
	}
	return key
}

// keyPrefix returns the prefix of all keys that begin with these parts.
func keyPrefix(parts ...string) []byte { return append(joinKey(parts...), 0) }

// lastKeyPart returns the part after the last byte 0 of a key.
func lastKeyPart(key []byte) string { return string(key[bytes.LastIndexByte(key, 0)+1:]) }

// timeKeyLength is the length of a time in a key.
const timeKeyLength = 8

// signBit is flipped in the times of keys, so that times before 1970, which are negative, sort before later ones.
const signBit = 1 << 63

// timeKey makes a key that sorts by time. It begins with at, and rest follows.
func timeKey(at time.Time, rest ...byte) []byte {
	key := make([]byte, timeKeyLength, timeKeyLength+len(rest))
	binary.BigEndian.PutUint64(key, uint64(at.UnixMilli())^signBit)
	return append(key, rest...)
}

// keyTime returns the time with which a key begins.
func keyTime(key []byte) time.Time {
	return time.UnixMilli(int64(binary.BigEndian.Uint64(key) ^ signBit)).UTC()
}

// sequenceKey makes a key that sorts by number.
func sequenceKey(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// hashedKey makes a key of fixed length from a text that a client or user chose.
func hashedKey(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

// truncateToMillis returns at in UTC and whole milliseconds, the form in which the store keeps times. The zero time
// stays zero.
func truncateToMillis(at time.Time) time.Time { return at.UTC().Truncate(time.Millisecond) }

// truncateTimes applies truncateToMillis to each of the times.
func truncateTimes(times ...*time.Time) {
	for _, at := range times {
		*at = truncateToMillis(*at)
	}
}
