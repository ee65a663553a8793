package bolt

// table is one bucket of the file.
type table uint8

// The tables, with their content as "key → value". Each group begins with the records, and their indexes follow. A
// comma in a key stands for the byte 0. A time in a key is eight bytes that sort by time (timeKey). Package record
// encodes the records.
const (
	meta   table = iota // name → value: the schema version, the test record of Ready, counters
	expiry              // time, kind, key → nothing: the records that Sweep removes
	trash               // kind, key → progress: index entries of removed records; see trash.go

	users           // sub → e (enabled) or d (disabled), record
	logins          // LoginNameKey or EmailKey → n (name) or m (e-mail), sub
	removedSubjects // sub → 1: subjects that are never used again
	factors         // sub → record of storage.Factors

	identities       // hash of issuer and sub there → record
	identitiesByUser // sub, key in identities → nothing

	clients        // client_id → record
	dynamicClients // client_id → size of the record, created, last used (0: never); see dynamicclient.go
	clientActivity // client_id → record of storage.ClientActivity

	// A session, its client sessions and its grants have neighbouring keys, so that they are on the same pages.
	sessions           // session → record; session, sid → record of a client session; session, sid, grant → 1
	sessionsBySecret   // hash → session
	sessionsBySID      // sid → session
	sessionsByUser     // sub, session → nothing
	sessionsByClient   // client, session, sid → nothing
	sessionsByDeadline // time, session → nothing
	sessionsByUpstream // UpstreamSelector.Scope, session → nothing

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
	dueDeliveries     // Delivery.DueAt, delivery → host, and leaseSuffix if leased; only pending deliveries
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

	mails    // id → record
	dueMails // Mail.DueAt, id → nothing

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
	identities:            "identities",
	identitiesByUser:      "identities_by_user",
	clients:               "clients",
	dynamicClients:        "dynamic_clients",
	clientActivity:        "client_activity",
	sessions:              "sessions",
	sessionsBySecret:      "sessions_by_secret",
	sessionsBySID:         "sessions_by_sid",
	sessionsByUser:        "sessions_by_user",
	sessionsByClient:      "sessions_by_client",
	sessionsByDeadline:    "sessions_by_deadline",
	sessionsByUpstream:    "sessions_by_upstream",
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
	mails:                 "mails",
	dueMails:              "due_mails",
}
