package bolt

// table is one bucket of the file.
type table uint8

// The tables. Each group begins with the records, and their indexes follow, as "key → value". In a key a comma stands
// for the byte 0 between its parts, and a time is eight bytes that sort. A record is encoded by package record.
const (
	meta   table = iota // name → value: the schema, the test record of Ready, counters
	expiry              // time, kind, key → nothing: the records that Sweep removes, in order
	trash               // kind, key → where to go on: what records that ended left behind; see trash.go

	users           // sub → e or d (enabled, disabled), record
	logins          // folded name or address → n or m (name, address), sub
	removedSubjects // sub → nothing: subjects that are never used again
	factors         // sub → record

	clients        // id → record
	dynamicClients // id → size of the record, created, last used (0: never)

	// A session, its client sessions and the places of its grants share pages.
	sessions           // session → record; session, sid → record of a client session; session, sid, grant → 1
	sessionsBySecret   // hash → session
	sessionsBySID      // sid → session
	sessionsByUser     // sub, session → nothing
	sessionsByClient   // client, session, sid → nothing
	sessionsByDeadline // time, session → nothing

	grants                // grant → record
	offlineGrantsByUser   // sub, client, grant → nothing
	offlineGrantsByClient // client, grant → nothing
	refreshTokens         // hash → hash of the token before it, grant; exchanged tokens too

	tokens    // hash → record
	usedCodes // time of issue, hash of the id → expiry, grant
	usedIDs   // hash of the id → expiry

	consents         // sub, client → record
	consentsByClient // client, sub → nothing

	cutoffs     // scope → records
	bulkLogouts // cause, hash of the selector → record

	deliveries        // delivery → record
	dueDeliveries     // time of the next attempt, delivery → host, mark of a lease; pending ones only
	deliveriesByState // state, time, delivery → nothing
	hostHealth        // host → record

	reports       // report → record
	reportsByTime // time, report → cause
	reportsByUser // sub, time, report → cause

	keys // key → record

	events       // sequence number → record
	eventsByUser // sub, sequence number → nothing

	attemptCounters // slot → count, time

	oneTimeLinks // hash → record
	linksByUser  // sub, purpose → hash

	initialAccessTokens // hash → record

	tableCount
)

// tableNames are the names of the buckets.
var tableNames = [tableCount]string{
	meta:                  "meta",
	expiry:                "expiry",
	trash:                 "trash",
	users:                 "users",
	logins:                "logins",
	removedSubjects:       "removed_subjects",
	factors:               "factors",
	clients:               "clients",
	dynamicClients:        "dynamic_clients",
	sessions:              "sessions",
	sessionsBySecret:      "sessions_by_secret",
	sessionsBySID:         "sessions_by_sid",
	sessionsByUser:        "sessions_by_user",
	sessionsByClient:      "sessions_by_client",
	sessionsByDeadline:    "sessions_by_deadline",
	grants:                "grants",
	offlineGrantsByUser:   "offline_grants_by_user",
	offlineGrantsByClient: "offline_grants_by_client",
	refreshTokens:         "refresh_tokens",
	tokens:                "tokens",
	usedCodes:             "used_codes",
	usedIDs:               "used_ids",
	consents:              "consents",
	consentsByClient:      "consents_by_client",
	cutoffs:               "cutoffs",
	bulkLogouts:           "bulk_logouts",
	deliveries:            "deliveries",
	dueDeliveries:         "due_deliveries",
	deliveriesByState:     "deliveries_by_state",
	hostHealth:            "host_health",
	reports:               "reports",
	reportsByTime:         "reports_by_time",
	reportsByUser:         "reports_by_user",
	keys:                  "keys",
	events:                "events",
	eventsByUser:          "events_by_user",
	attemptCounters:       "attempt_counters",
	oneTimeLinks:          "one_time_links",
	linksByUser:           "links_by_user",
	initialAccessTokens:   "initial_access_tokens",
}
