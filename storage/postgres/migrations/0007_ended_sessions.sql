-- Sessions that ended, or of which a client session ended, with more grants than one transaction removes. Sweep removes
-- the rest of the grants.
CREATE TABLE @ended_sessions (id text COLLATE "C" PRIMARY KEY);
