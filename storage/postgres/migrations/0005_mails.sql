-- Messages that wait to be sent.
CREATE TABLE @mails (
	id         text COLLATE "C" PRIMARY KEY,
	due        bigint NOT NULL,
	keep_until bigint NOT NULL,
	record     bytea  NOT NULL
);
CREATE INDEX mails_due ON @mails (due, id);
CREATE INDEX mails_keep_until ON @mails (keep_until);
