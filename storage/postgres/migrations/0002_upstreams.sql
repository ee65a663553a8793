-- Sessions that came from an upstream provider, and the accounts there that are linked to users.
--
-- upstream_account and upstream_session are scopes of storage.UpstreamSelector.
ALTER TABLE @sessions
	ADD COLUMN upstream_account text COLLATE "C",
	ADD COLUMN upstream_session text COLLATE "C";
CREATE INDEX sessions_upstream_account ON @sessions (upstream_account) WHERE upstream_account IS NOT NULL;
CREATE INDEX sessions_upstream_session ON @sessions (upstream_session) WHERE upstream_session IS NOT NULL;

CREATE TABLE @identities (
	issuer  text COLLATE "C" NOT NULL,
	subject text COLLATE "C" NOT NULL,
	owner   text COLLATE "C" NOT NULL,
	record  bytea NOT NULL,
	PRIMARY KEY (issuer, subject)
);
CREATE INDEX identities_owner ON @identities (owner);
