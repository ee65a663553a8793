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

	users   // sub → e or d (enabled, disabled), record
	logins  // folded name or address → n or e (name, address), sub
	removed // sub → nothing: subjects that must never come back

	clients // id → JSON

	sessions       // id → JSON without members; id, sid → member's JSON; id, sid, grant → 1: what belongs together shares a page
	secrets        // hash → session
	sids           // sid → session
	userSessions   // sub, session → nothing
	clientSessions // client, session, sid → nothing
	deadlines      // time, session → nothing

	grants        // id → JSON
	userOffline   // sub, client, grant → nothing: offline grants
	clientOffline // client, grant → nothing: offline grants
	refreshes     // hash → hash of the token before it, grant: the refresh tokens of families, exchanged ones too

	tokens // hash → JSON
	codes  // time of issue, hash of the id → until, grant: redeemed codes, close together while they matter
	spent  // hash of the id → until

	consents       // sub, client → JSON
	clientConsents // client, sub → nothing

	fences  // scope → JSON
	endings // key → JSON

	deliveries     // id → JSON
	due            // time, delivery → host, mark while it is leased: pending ones by when somebody may take them
	deliveryStates // state, time, delivery → nothing

	reports     // id → JSON
	reportTimes // time, report → cause
	userReports // sub, time, report → cause

	keys // id → JSON

	events     // sequence number → JSON
	userEvents // sub, sequence number → nothing

	attempts // slot → count, time

	links     // hash → JSON
	userLinks // sub, purpose → hash

	initialTokens // hash → JSON

	tableCount
)

var tableNames = [tableCount]string{
	meta: "meta", expiry: "expiry", trash: "trash",
	users: "users", logins: "logins", removed: "removed",
	clients:  "clients",
	sessions: "sessions", secrets: "secrets", sids: "sids", userSessions: "user_sessions",
	clientSessions: "client_sessions", deadlines: "deadlines",
	grants: "grants", userOffline: "user_offline", clientOffline: "client_offline", refreshes: "refreshes",
	tokens: "tokens", codes: "codes", spent: "spent",
	consents: "consents", clientConsents: "client_consents",
	fences: "fences", endings: "endings",
	deliveries: "deliveries", due: "due", deliveryStates: "delivery_states",
	reports: "reports", reportTimes: "report_times", userReports: "user_reports",
	keys:   "keys",
	events: "events", userEvents: "user_events",
	attempts: "attempts",
	links:    "links", userLinks: "user_links",
	initialTokens: "initial_tokens",
}

// join makes a key of parts, none of which may contain the byte 0 but the last.
func join[P ~string | ~[]byte](parts ...P) []byte {
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

// within is the prefix of the keys whose first parts are these.
func within(parts ...string) []byte { return append(join(parts...), 0) }

// lastPart is what follows the last byte 0 of a key.
func lastPart(key []byte) string { return string(key[bytes.LastIndexByte(key, 0)+1:]) }

// timeLength is the length of a time in a key.
const timeLength = 8

// timeKey is at followed by the rest, so that keys sort by time.
func timeKey(at time.Time, rest ...byte) []byte {
	key := make([]byte, timeLength, timeLength+len(rest))
	binary.BigEndian.PutUint64(key, uint64(at.UnixMilli())^1<<63)
	return append(key, rest...)
}

// keyTime is the time that a key begins with.
func keyTime(key []byte) time.Time {
	return time.UnixMilli(int64(binary.BigEndian.Uint64(key) ^ 1<<63)).UTC()
}

// sequenceKey is a sequence number that sorts.
func sequenceKey(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// shortKey makes a key of fixed length from text that others choose.
func shortKey(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

// milli is at in whole milliseconds, UTC, as the store keeps times; the zero time stays zero.
func milli(at time.Time) time.Time { return at.UTC().Truncate(time.Millisecond) }
