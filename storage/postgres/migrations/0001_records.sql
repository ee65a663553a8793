-- The records of Curfew.
--
-- A column is there for a query; everything else of a record stands in its column "record", encoded by package
-- storage/record. Times are milliseconds since 1970. Texts are compared byte by byte.

-- One row: the store's order, and the end of the audit trail. It is locked last.
CREATE TABLE @state (
	id              smallint PRIMARY KEY CHECK (id = 1),
	sequence        bigint NOT NULL,
	audit_sequence  bigint NOT NULL,
	audit_hash      bytea  NOT NULL,
	client_revision bigint NOT NULL,
	swept           bytea  NOT NULL,
	ready           bigint NOT NULL
);
INSERT INTO @state VALUES (1, 0, 0, decode(repeat('00', 32), 'hex'), 0, convert_to('{}', 'UTF8'), 0);

-- A transaction that writes for a user locks the user's gate first; a termination locks every gate of its scope.
CREATE TABLE @gates (n smallint PRIMARY KEY);
INSERT INTO @gates SELECT n FROM generate_series(0, 63) AS n;

-- Transactions that committed: the outcome of one whose answer was lost is looked up here.
CREATE TABLE @transactions (
	id bytea PRIMARY KEY,
	at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX transactions_at ON @transactions (at);

CREATE TABLE @users (
	subject text COLLATE "C" PRIMARY KEY,
	enabled boolean NOT NULL,
	record  bytea   NOT NULL
);
CREATE TABLE @logins (
	key     text COLLATE "C" PRIMARY KEY,
	is_name boolean NOT NULL,
	subject text COLLATE "C" NOT NULL
);
CREATE INDEX logins_subject ON @logins (subject);
CREATE TABLE @removed_subjects (subject text COLLATE "C" PRIMARY KEY);
CREATE TABLE @factors (
	subject text COLLATE "C" PRIMARY KEY,
	record  bytea NOT NULL
);

-- last_used is when a dynamic client got tokens last, empty if it never did.
CREATE TABLE @clients (
	id        text COLLATE "C" PRIMARY KEY,
	enabled   boolean NOT NULL,
	sequence  bigint  NOT NULL,
	dynamic   boolean NOT NULL,
	created   bigint  NOT NULL,
	last_used bigint,
	record    bytea   NOT NULL
);
CREATE INDEX clients_dynamic ON @clients (id) WHERE dynamic;

CREATE TABLE @sessions (
	id       text COLLATE "C" PRIMARY KEY,
	gate     smallint NOT NULL,
	secret   bytea    NOT NULL,
	subject  text COLLATE "C" NOT NULL,
	deadline bigint   NOT NULL,
	record   bytea    NOT NULL
);
CREATE UNIQUE INDEX sessions_secret ON @sessions (secret);
CREATE INDEX sessions_subject ON @sessions (subject, id);
CREATE INDEX sessions_deadline ON @sessions (deadline, id);

CREATE TABLE @client_sessions (
	sid     text COLLATE "C" PRIMARY KEY,
	session text COLLATE "C" NOT NULL,
	client  text COLLATE "C" NOT NULL,
	joined  bigint NOT NULL,
	record  bytea  NOT NULL
);
CREATE INDEX client_sessions_session ON @client_sessions (session);
CREATE INDEX client_sessions_client ON @client_sessions (client, session);

-- session is empty for offline access, deadline for a grant that never expires by itself.
CREATE TABLE @grants (
	id       text COLLATE "C" PRIMARY KEY,
	gate     smallint NOT NULL,
	session  text COLLATE "C",
	sid      text COLLATE "C" NOT NULL,
	subject  text COLLATE "C" NOT NULL,
	client   text COLLATE "C" NOT NULL,
	deadline bigint,
	record   bytea NOT NULL
);
CREATE INDEX grants_session ON @grants (session) WHERE session IS NOT NULL;
CREATE INDEX grants_offline_subject ON @grants (subject, client, id) WHERE session IS NULL;
CREATE INDEX grants_offline_client ON @grants (client, id) WHERE session IS NULL;
CREATE INDEX grants_deadline ON @grants (deadline) WHERE deadline IS NOT NULL;

-- expires is set for an exchanged token of offline access.
CREATE TABLE @refresh_tokens (
	hash     bytea PRIMARY KEY,
	grant_id text COLLATE "C" NOT NULL,
	expires  bigint
);
CREATE INDEX refresh_tokens_grant ON @refresh_tokens (grant_id);
CREATE INDEX refresh_tokens_expires ON @refresh_tokens (expires) WHERE expires IS NOT NULL;
-- Grants that ended and whose refresh tokens Sweep removes.
CREATE TABLE @ended_grants (id text COLLATE "C" PRIMARY KEY);

CREATE TABLE @tokens (
	hash     bytea PRIMARY KEY,
	grant_id text COLLATE "C" NOT NULL,
	sid      text COLLATE "C" NOT NULL,
	client   text COLLATE "C" NOT NULL,
	expires  bigint NOT NULL,
	record   bytea  NOT NULL
);
CREATE INDEX tokens_expires ON @tokens (expires);

CREATE TABLE @used_codes (
	id       bytea PRIMARY KEY,
	expires  bigint NOT NULL,
	grant_id text COLLATE "C" NOT NULL
);
CREATE INDEX used_codes_expires ON @used_codes (expires);

CREATE TABLE @used_ids (
	id      bytea PRIMARY KEY,
	expires bigint NOT NULL
);
CREATE INDEX used_ids_expires ON @used_ids (expires);

CREATE TABLE @consents (
	subject  text COLLATE "C" NOT NULL,
	client   text COLLATE "C" NOT NULL,
	sequence bigint NOT NULL,
	record   bytea  NOT NULL,
	PRIMARY KEY (subject, client)
);
CREATE INDEX consents_client ON @consents (client);

-- expires is when the first of the scope's cutoffs expires.
CREATE TABLE @cutoffs (
	session text COLLATE "C" NOT NULL,
	subject text COLLATE "C" NOT NULL,
	client  text COLLATE "C" NOT NULL,
	expires bigint NOT NULL,
	record  bytea  NOT NULL,
	PRIMARY KEY (session, subject, client)
);
CREATE INDEX cutoffs_expires ON @cutoffs (expires);

-- finished is empty while the bulk logout is under way.
CREATE TABLE @bulk_logouts (
	key      text COLLATE "C" PRIMARY KEY,
	finished bigint,
	record   bytea NOT NULL
);

CREATE TABLE @deliveries (
	id         text COLLATE "C" PRIMARY KEY,
	report     text COLLATE "C" NOT NULL,
	client     text COLLATE "C" NOT NULL,
	host       text COLLATE "C" NOT NULL,
	state      text COLLATE "C" NOT NULL,
	created    bigint NOT NULL,
	due        bigint NOT NULL,
	give_up    bigint NOT NULL,
	keep_until bigint NOT NULL,
	record     bytea  NOT NULL
);
CREATE INDEX deliveries_due ON @deliveries (due, id) WHERE state = 'pending';
CREATE INDEX deliveries_state ON @deliveries (state, created, id);
CREATE INDEX deliveries_created ON @deliveries (created, id);
CREATE INDEX deliveries_report ON @deliveries (report);
CREATE INDEX deliveries_keep_until ON @deliveries (keep_until);

CREATE TABLE @host_health (
	host   text COLLATE "C" PRIMARY KEY,
	at     bigint NOT NULL,
	record bytea  NOT NULL
);

CREATE TABLE @reports (
	id           text COLLATE "C" PRIMARY KEY,
	subject      text COLLATE "C" NOT NULL,
	cause        text COLLATE "C" NOT NULL,
	ended        bigint NOT NULL,
	delete_after bigint NOT NULL,
	record       bytea  NOT NULL
);
CREATE INDEX reports_ended ON @reports (ended, id);
CREATE INDEX reports_subject ON @reports (subject, ended, id);
CREATE INDEX reports_cause ON @reports (cause);
CREATE INDEX reports_delete_after ON @reports (delete_after);

CREATE TABLE @keys (
	id     text COLLATE "C" PRIMARY KEY,
	record bytea NOT NULL
);

CREATE TABLE @events (
	sequence bigint PRIMARY KEY,
	subject  text COLLATE "C" NOT NULL,
	record   bytea NOT NULL
);
CREATE INDEX events_subject ON @events (subject, sequence);

CREATE TABLE @attempt_counters (
	slot  integer PRIMARY KEY,
	count bigint NOT NULL,
	last  bigint NOT NULL
);

CREATE TABLE @one_time_links (
	hash    bytea PRIMARY KEY,
	subject text COLLATE "C" NOT NULL,
	purpose text COLLATE "C" NOT NULL,
	expires bigint NOT NULL,
	record  bytea  NOT NULL,
	UNIQUE (subject, purpose)
);
CREATE INDEX one_time_links_expires ON @one_time_links (expires);

CREATE TABLE @initial_access_tokens (
	hash   bytea PRIMARY KEY,
	name   text COLLATE "C" NOT NULL,
	record bytea NOT NULL
);
