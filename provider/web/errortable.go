package web

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/password"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// BusyRetryAfter is the Retry-After of responses with status 503.
const BusyRetryAfter = 5 * time.Second

// tableRow holds the responses to one kind of error, one for each group of endpoints. If the status of the page is 500
// or more, Curfew has failed and the error is logged at level ERROR.
type tableRow struct {
	errs          []error   // the errors that get these responses
	page          PageError // pages for users
	authorization answer    // the authorization endpoint
	token         answer    // the token, revocation, introspection and UserInfo endpoints
	registration  answer    // the registration endpoints
	admin         answer    // the admin API
}

// answer is an error response to a program.
type answer struct {
	status int    // the HTTP status, or redirected
	code   string // the error code
	text   string // the error description
}

// redirected is the status of answers that the authorization endpoint sends in a redirect to the client.
const redirected = 0

const (
	tooMany        = "the user has too many sign-ins or consents; end some on the account pages"
	tryAgain       = "try again in a few seconds"
	outcomeUnknown = "the store did not confirm in time whether the request took effect; repeating it is safe"
)

// Responses that several rows use. Most names end with the group of endpoints that sends the response.
var (
	busyPage          = PageError{Status: http.StatusServiceUnavailable, RetryAfter: BusyRetryAfter}
	busyAuthorization = answer{redirected, "temporarily_unavailable", tryAgain}
	busyToken         = answer{http.StatusServiceUnavailable, "server_error", tryAgain}
	busyRegistration  = answer{http.StatusServiceUnavailable, "temporarily_unavailable", tryAgain}

	endedAuthorization = answer{redirected, "login_required", "the session has ended"}
	endedToken         = answer{
		status: http.StatusBadRequest,
		code:   "invalid_grant",
		text:   "the grant has ended, has expired, was used before or belongs to another client",
	}
	endedRegistration = answer{
		status: http.StatusUnauthorized,
		code:   "invalid_token",
		text:   "the token is unknown, expired or used up",
	}
	changedRegistration = answer{
		status: http.StatusConflict,
		code:   "invalid_client_metadata",
		text:   "the registration changed meanwhile; read it and try again",
	}
	invalidAuthorization = answer{redirected, "invalid_request", "the request is not a well-formed query or form"}
	invalidBody          = answer{
		status: http.StatusBadRequest,
		code:   "invalid_request",
		text:   "the request body is not a form (application/x-www-form-urlencoded) of at most 64 kB",
	}

	unknownAuthorization = answer{redirected, "server_error", ""}
	internalError        = answer{http.StatusInternalServerError, "server_error", ""}
	unknownAdmin         = answer{
		status: http.StatusInternalServerError,
		code:   "internal",
		text:   "the request failed; the server's log says why",
	}
)

// table lists the errors with responses of their own. If several rows match an error, the first one applies.
var table = []tableRow{
	{
		errs: []error{ErrInteraction},
		page: PageError{
			Status: http.StatusBadRequest,
			Text:   templates.ErrorPageExpired,
		},
		authorization: invalidAuthorization,
		token:         invalidBody,
		registration:  invalidBody,
		admin:         unknownAdmin,
	},
	{
		errs:          []error{ErrInteractionSize, ErrFormSize},
		page:          PageError{Status: http.StatusRequestEntityTooLarge},
		authorization: answer{redirected, "invalid_request", "the request is too large"},
		token: answer{
			status: http.StatusRequestEntityTooLarge,
			code:   "invalid_request",
			text:   "the request body is larger than 64 kB",
		},
		registration: invalidBody,
		admin:        unknownAdmin,
	},
	{
		errs:          []error{ErrForm},
		page:          PageError{Status: http.StatusBadRequest, Text: templates.ErrorMalformed},
		authorization: invalidAuthorization,
		token:         invalidBody,
		registration:  invalidBody,
		admin:         unknownAdmin,
	},
	{
		errs:          []error{storage.ErrFull},
		page:          busyPage,
		authorization: busyAuthorization,
		token:         busyToken,
		registration:  busyRegistration,
		admin: answer{
			status: http.StatusServiceUnavailable,
			code:   "unavailable",
			text:   "the store has no room left; make room on its disk",
		},
	},
	{
		errs: []error{storage.ErrUnavailable},
		page: PageError{
			Status:     http.StatusServiceUnavailable,
			Text:       templates.ErrorOutcomeOpen,
			RetryAfter: BusyRetryAfter,
		},
		authorization: answer{redirected, "temporarily_unavailable", outcomeUnknown},
		token:         answer{http.StatusServiceUnavailable, "server_error", outcomeUnknown},
		registration:  answer{http.StatusServiceUnavailable, "temporarily_unavailable", outcomeUnknown},
		admin:         answer{http.StatusServiceUnavailable, "unavailable", outcomeUnknown},
	},
	{
		errs:          []error{password.ErrBusy},
		page:          busyPage,
		authorization: busyAuthorization,
		token:         busyToken,
		registration:  busyRegistration,
		admin: answer{
			status: http.StatusServiceUnavailable,
			code:   "unavailable",
			text:   "too many passwords are being hashed; try again",
		},
	},
	{
		errs:          []error{context.Canceled, context.DeadlineExceeded},
		page:          busyPage,
		authorization: busyAuthorization,
		token:         busyToken,
		registration:  busyRegistration,
		admin: answer{
			status: http.StatusServiceUnavailable,
			code:   "unavailable",
			text:   "the request was cancelled or took too long; look, and try again",
		},
	},
	{
		errs:          []error{storage.ErrChanged},
		page:          PageError{Status: http.StatusConflict},
		authorization: busyAuthorization,
		token:         endedToken,
		registration:  changedRegistration,
		admin:         answer{http.StatusConflict, "changed", "it changed meanwhile; look at it and try again"},
	},
	{
		errs:          []error{storage.ErrExists},
		page:          PageError{Status: http.StatusConflict},
		authorization: busyAuthorization,
		token:         endedToken,
		registration:  changedRegistration,
		admin:         answer{http.StatusConflict, "exists", "the identifier, login name or e-mail address is taken"},
	},
	{
		errs:          []error{storage.ErrAlreadyUsed},
		page:          PageError{Status: http.StatusGone},
		authorization: endedAuthorization,
		token:         endedToken,
		registration:  endedRegistration,
		admin:         answer{http.StatusConflict, "already_used", "it was used or done already"},
	},
	{
		errs:          []error{storage.ErrNotFound},
		page:          PageError{Status: http.StatusNotFound},
		authorization: endedAuthorization,
		token:         endedToken,
		registration:  endedRegistration,
		admin:         answer{http.StatusNotFound, "not_found", "it does not exist, or not any more"},
	},
	{
		errs:          []error{storage.ErrLimit},
		page:          PageError{Status: http.StatusConflict, Text: templates.ErrorTooMany},
		authorization: answer{redirected, "access_denied", tooMany},
		token:         answer{http.StatusBadRequest, "invalid_grant", tooMany},
		registration:  internalError,
		admin:         answer{http.StatusConflict, "limit", tooMany},
	},
	{
		errs:          []error{storage.ErrRevoked},
		page:          PageError{Status: http.StatusNotFound},
		authorization: endedAuthorization,
		token:         endedToken,
		registration:  endedRegistration,
		admin:         answer{http.StatusConflict, "revoked", "it has ended"},
	},
	{
		errs:          []error{keys.ErrUnknownKey},
		page:          PageError{Status: http.StatusNotFound},
		authorization: unknownAuthorization,
		token:         internalError,
		registration:  internalError,
		admin:         answer{http.StatusNotFound, "not_found", "there is no such key"},
	},
}

// unknown has the responses to all other errors. They do not say what failed; only the log says it.
var unknown = tableRow{
	page:          PageError{Status: http.StatusInternalServerError},
	authorization: unknownAuthorization,
	token:         internalError,
	registration:  internalError,
	admin:         unknownAdmin,
}

// findRow returns the row of table that matches err, or unknown.
func findRow(err error) tableRow {
	for _, row := range table {
		for _, known := range row.errs {
			if errors.Is(err, known) {
				return row
			}
		}
	}
	return unknown
}
