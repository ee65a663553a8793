-- first_sign_in is when a user signed in to the client for the first time, empty if none did. refusal is the record of
-- the last refused request of the client.
ALTER TABLE @clients ADD COLUMN first_sign_in bigint;
ALTER TABLE @clients ADD COLUMN refusal bytea;
