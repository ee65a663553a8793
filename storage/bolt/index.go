package bolt

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// table is one bucket of the file.
type table uint8

// The buckets: records first in each group, then their indexes as key → value. A comma stands for the byte 0 between
// the parts of a key, a time is eight bytes that sort.
const (
	meta   table = iota // schema version, the readiness record, how many deliveries there are of each state, what Sweep has forgotten
	expiry              // time, kind, key → nothing: what Sweep removes, in order
	trash               // kind, key: what ended records left behind, see trash.go

	users           // sub → e or d (enabled, disabled), record
	logins          // folded name or address → n or e (name, address), sub
	removedSubjects // sub → nothing: subjects that must never come back

	clients // id → JSON

	sessions           // id → JSON without members; id, sid → member's JSON; id, sid, grant → 1: what belongs together shares a page
	sessionsBySecret   // hash → session
	sessionsBySID      // sid → session
	sessionsByUser     // sub, session → nothing
	sessionsByClient   // client, session, sid → nothing
	sessionsByDeadline // time, session → nothing

	grants                // id → JSON
	offlineGrantsByUser   // sub, client, grant → nothing: offline grants
	offlineGrantsByClient // client, grant → nothing: offline grants
	refreshTokens         // hash → hash of the token before it, grant: the refresh tokens of families, exchanged ones too

	tokens    // hash → JSON
	usedCodes // time of issue, hash of the id → until, grant: redeemed codes, close together while they matter
	usedIDs   // hash of the id → until

	consents         // sub, client → JSON
	consentsByClient // client, sub → nothing

	cutoffs     // scope → JSON
	bulkLogouts // key → JSON

	deliveries        // id → JSON
	dueDeliveries     // time, delivery → host, mark while it is leased: pending ones by when somebody may take them
	deliveriesByState // state, time, delivery → nothing
	hostHealth        // host → JSON

	reports       // id → JSON
	reportsByTime // time, report → cause
	reportsByUser // sub, time, report → cause

	keys // id → JSON

	events       // sequence number → JSON
	eventsByUser // sub, sequence number → nothing

	attemptCounters // slot → count, time

	oneTimeLinks // hash → JSON
	linksByUser  // sub, purpose → hash

	initialAccessTokens // hash → JSON

	tableCount
)

var tableNames = [tableCount]string{
	meta: "meta", expiry: "expiry", trash: "trash",
	users: "users", logins: "logins", removedSubjects: "removed",
	clients:  "clients",
	sessions: "sessions", sessionsBySecret: "secrets", sessionsBySID: "sids", sessionsByUser: "user_sessions",
	sessionsByClient: "client_sessions", sessionsByDeadline: "deadlines",
	grants: "grants", offlineGrantsByUser: "user_offline", offlineGrantsByClient: "client_offline", refreshTokens: "refreshes",
	tokens: "tokens", usedCodes: "codes", usedIDs: "spent",
	consents: "consents", consentsByClient: "client_consents",
	cutoffs: "fences", bulkLogouts: "endings",
	deliveries: "deliveries", dueDeliveries: "due", deliveriesByState: "delivery_states", hostHealth: "host_health",
	reports: "reports", reportsByTime: "report_times", reportsByUser: "user_reports",
	keys:   "keys",
	events: "events", eventsByUser: "user_events",
	attemptCounters: "attempts",
	oneTimeLinks:    "links", linksByUser: "user_links",
	initialAccessTokens: "initial_tokens",
}

// joinKey makes a key of parts, none of which may contain the byte 0 but the last.
func joinKey[P ~string | ~[]byte](parts ...P) []byte {
	n := len(parts) - 1
	for _, p := range parts {
		n += len(p)
	}
	key := make([]byte, 0, n)
	for i, p := range parts {
		if i > 0 {
			key = append(key, 0)
		}
		key = append(key, p...)
	}
	return key
}

// keyPrefix is the prefix of the keys whose first parts are these.
func keyPrefix(parts ...string) []byte { return append(joinKey(parts...), 0) }

// lastKeyPart is what follows the last byte 0 of a key.
func lastKeyPart(key []byte) string { return string(key[bytes.LastIndexByte(key, 0)+1:]) }

// timeKeyLength is the length of a time in a key.
const timeKeyLength = 8

// timeKey is at followed by the rest, so that keys sort by time.
func timeKey(at time.Time, rest ...byte) []byte {
	key := make([]byte, timeKeyLength, timeKeyLength+len(rest))
	binary.BigEndian.PutUint64(key, uint64(at.UnixMilli())^1<<63)
	return append(key, rest...)
}

// keyTime is the time that a key begins with.
func keyTime(key []byte) time.Time {
	return time.UnixMilli(int64(binary.BigEndian.Uint64(key) ^ 1<<63)).UTC()
}

// sequenceKey is a sequence number that sorts.
func sequenceKey(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// hashedKey makes a key of fixed length from text that others choose.
func hashedKey(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

// truncateToMillis is at in whole milliseconds, UTC, as the store keeps times; the zero time stays zero.
func truncateToMillis(at time.Time) time.Time { return at.UTC().Truncate(time.Millisecond) }
