package postgres

import (
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/curfew-id/curfew/storage"
)

// Error codes of the server (PostgreSQL documentation, appendix A).
const (
	codeSerializationFailure = "40001"
	codeDeadlock             = "40P01"
	codeUniqueViolation      = "23505"
	codeNotInRepertoire      = "22021" // a text with a NUL or broken UTF-8
	codeDiskFull             = "53100"
)

// unavailable wraps err in storage.ErrUnavailable.
func unavailable(err error) error { return fmt.Errorf("%w: %w", storage.ErrUnavailable, err) }

// serverCode returns the code of an error of the server, or "" for another error.
func serverCode(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

// isRetryable reports whether a transaction that failed with err may succeed when it runs again.
func isRetryable(err error) bool {
	code := serverCode(err)
	return code == codeSerializationFailure || code == codeDeadlock
}

// storeError wraps an error of the database in the matching error of package storage.
func storeError(err error) error {
	switch code := serverCode(err); {
	case code == "":
		return unavailable(err)
	case code == codeUniqueViolation:
		return fmt.Errorf("%w: %w", storage.ErrExists, err)
	case code == codeNotInRepertoire:
		return fmt.Errorf("%w: %w", storage.ErrNotFound, err) // no record contains such a text
	case code == codeDiskFull:
		return fmt.Errorf("%w: %w", storage.ErrFull, err)
	default:
		return unavailable(err)
	}
}
