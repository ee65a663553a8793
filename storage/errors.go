package storage

import "errors"

// The errors of a store. Callers test them with errors.Is.
var (
	// ErrNotFound: there is no such record, or it has expired at the time of the call.
	ErrNotFound = errors.New("not found")
	// ErrExists: the record's identifier, login name or e-mail address is taken.
	ErrExists = errors.New("already exists")
	// ErrChanged: the record was changed since it was read (its Revision differs).
	ErrChanged = errors.New("changed meanwhile")
	// ErrAlreadyUsed: a code, link or id that counts once was used before.
	ErrAlreadyUsed = errors.New("already used")
	// ErrRevoked: the session, grant, user or client behind the call was ended, is disabled or is cut off.
	ErrRevoked = errors.New("ended")
	// ErrFull: the store can take no more writes until there is room again. Reads go on.
	ErrFull = errors.New("no room left in the store")
	// ErrUnavailable: the store did not answer in time or could not write; the outcome of a write is unknown.
	ErrUnavailable = errors.New("store not available")
	// ErrLocked: another process has the store open.
	ErrLocked = errors.New("store in use by another process")
	// ErrOlder: the store has a schema that this release can neither read nor migrate.
	ErrOlder = errors.New("store with a schema that this release does not know")
	// ErrNewer: the store was written by a newer release.
	ErrNewer = errors.New("store written by a newer release")
)
