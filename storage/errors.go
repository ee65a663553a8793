package storage

import "errors"

// The errors of a store. Callers test them with errors.Is.
var (
	// ErrNotFound: there is no such record, or it has expired.
	ErrNotFound = errors.New("not found")
	// ErrExists: the record's identifier, login name or e-mail address is taken.
	ErrExists = errors.New("already exists")
	// ErrChanged: the record was changed after it was read (its Revision differs).
	ErrChanged = errors.New("changed meanwhile")
	// ErrAlreadyUsed: the code, link or id may be used once and was used before.
	ErrAlreadyUsed = errors.New("already used")
	// ErrRevoked: the session or grant was ended, the user or client is disabled or removed, or a Cutoff applies.
	ErrRevoked = errors.New("ended")
	// ErrLimit: the user or the session has as many of these records as it may have.
	ErrLimit = errors.New("as many as there may be")
	// ErrFull: the store has no room for more writes. Reads still work.
	ErrFull = errors.New("no room left in the store")
	// ErrUnavailable: the store did not answer in time or could not write. A write may or may not have been stored.
	ErrUnavailable = errors.New("store not available")
	// ErrLocked: another process has the store open.
	ErrLocked = errors.New("store in use by another process")
	// ErrOlder: the store has a schema that this release can neither read nor migrate.
	ErrOlder = errors.New("store with a schema that this release does not know")
	// ErrNewer: the store was written by a newer release.
	ErrNewer = errors.New("store written by a newer release")
)
