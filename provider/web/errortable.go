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

// BusyRetryAfter is when a caller should try again after an answer with status 503.
const BusyRetryAfter = 5 * time.Second

// tableRow says how one kind of error is answered: on a page, by the authorization endpoint, by the token endpoint and its neighbours,
// by the registration endpoints and by the admin API. The packages only render it. A row whose page has a status of 500 or more is a
// failure of ours: the log gets the error at level ERROR.
type tableRow struct {
	errs          []error
	page          PageError
	authorization answer
	token         answer
	registration  answer
	admin         answer
}

// answer is what a program gets. The authorization endpoint redirects: its status is 0.
type answer struct {
	status int
	code   string
	text   string
}

const (
	tryAgain    = "try again in a few seconds"
	outcomeOpen = "the store did not confirm in time whether the request took effect; repeating it is safe"
)

// The answers to errors that need no word of their own.
var (
	busyPage    = PageError{Status: http.StatusServiceUnavailable, RetryAfter: BusyRetryAfter}
	busyClient  = answer{0, "temporarily_unavailable", tryAgain}
	busyToken   = answer{http.StatusServiceUnavailable, "server_error", tryAgain}
	busyProgram = answer{http.StatusServiceUnavailable, "temporarily_unavailable", tryAgain}

	sessionEnded   = answer{0, "login_required", "the session has ended"}
	grantEnded     = answer{http.StatusBadRequest, "invalid_grant", "the grant has ended, has expired, was used before or belongs to another client"}
	tokenRefused   = answer{http.StatusUnauthorized, "invalid_token", "the token is unknown, expired or used up"}
	recordChanged  = answer{http.StatusConflict, "invalid_client_metadata", "the registration changed meanwhile; read it and try again"}
	invalidRequest = answer{0, "invalid_request", "the request is not a well-formed query or form"}
	invalidBody    = answer{http.StatusBadRequest, "invalid_request", "the request body is not a form (application/x-www-form-urlencoded) of at most 64 kB"}

	unknownError   = answer{0, "server_error", ""}
	unknownToken   = answer{http.StatusInternalServerError, "server_error", ""}
	internalFailed = answer{http.StatusInternalServerError, "internal", "the request failed; the server's log says why"}
)

// table is every kind of error that is known here. The first row that fits counts.
var table = []tableRow{
	{
		errs: []error{ErrInteraction},
		page: PageError{
			Status: http.StatusBadRequest,
			Text:   templates.ErrorPageExpired,
		},
		authorization: invalidRequest, token: invalidBody, registration: invalidBody, admin: internalFailed,
	},
	{
		errs:          []error{ErrInteractionSize, ErrFormSize},
		page:          PageError{Status: http.StatusRequestEntityTooLarge},
		authorization: answer{0, "invalid_request", "the request is too large"},
		token:         answer{http.StatusRequestEntityTooLarge, "invalid_request", "the request body is larger than 64 kB"},
		registration:  invalidBody, admin: internalFailed,
	},
	{
		errs:          []error{ErrForm},
		page:          PageError{Status: http.StatusBadRequest, Text: templates.ErrorMalformed},
		authorization: invalidRequest, token: invalidBody, registration: invalidBody, admin: internalFailed,
	},
	{
		errs: []error{storage.ErrFull},
		page: busyPage, authorization: busyClient, token: busyToken, registration: busyProgram,
		admin: answer{http.StatusServiceUnavailable, "unavailable", "the store has no room left; make room on its disk"},
	},
	{
		errs: []error{storage.ErrUnavailable},
		page: PageError{
			Status:     http.StatusServiceUnavailable,
			Text:       templates.ErrorOutcomeOpen,
			RetryAfter: BusyRetryAfter,
		},
		authorization: answer{0, "temporarily_unavailable", outcomeOpen},
		token:         answer{http.StatusServiceUnavailable, "server_error", outcomeOpen},
		registration:  answer{http.StatusServiceUnavailable, "temporarily_unavailable", outcomeOpen},
		admin:         answer{http.StatusServiceUnavailable, "unavailable", outcomeOpen},
	},
	{
		errs: []error{password.ErrBusy},
		page: busyPage, authorization: busyClient, token: busyToken, registration: busyProgram,
		admin: answer{http.StatusServiceUnavailable, "unavailable", "too many passwords are being hashed; try again"},
	},
	{
		errs: []error{context.Canceled, context.DeadlineExceeded},
		page: busyPage, authorization: busyClient, token: busyToken, registration: busyProgram,
		admin: answer{http.StatusServiceUnavailable, "unavailable", "the request was cancelled or took too long; look, and try again"},
	},
	{
		errs:          []error{storage.ErrChanged},
		page:          PageError{Status: http.StatusConflict},
		authorization: busyClient, token: grantEnded, registration: recordChanged,
		admin: answer{http.StatusConflict, "changed", "it changed meanwhile; look at it and try again"},
	},
	{
		errs:          []error{storage.ErrExists},
		page:          PageError{Status: http.StatusConflict},
		authorization: busyClient, token: grantEnded, registration: recordChanged,
		admin: answer{http.StatusConflict, "exists", "the identifier, login name or e-mail address is taken"},
	},
	{
		errs:          []error{storage.ErrAlreadyUsed},
		page:          PageError{Status: http.StatusGone},
		authorization: sessionEnded, token: grantEnded, registration: tokenRefused,
		admin: answer{http.StatusConflict, "already_used", "it was used or done already"},
	},
	{
		errs:          []error{storage.ErrNotFound},
		page:          PageError{Status: http.StatusNotFound},
		authorization: sessionEnded, token: grantEnded, registration: tokenRefused,
		admin: answer{http.StatusNotFound, "not_found", "it does not exist, or not any more"},
	},
	{
		errs:          []error{storage.ErrRevoked},
		page:          PageError{Status: http.StatusNotFound},
		authorization: sessionEnded, token: grantEnded, registration: tokenRefused,
		admin: answer{http.StatusConflict, "revoked", "it has ended"},
	},
	{
		errs:          []error{keys.ErrUnknownKey},
		page:          PageError{Status: http.StatusNotFound},
		authorization: unknownError, token: unknownToken, registration: unknownToken,
		admin: answer{http.StatusNotFound, "not_found", "there is no such key"},
	},
}

// unknown answers every other error. It says nothing; the log has it.
var unknown = tableRow{
	page:          PageError{Status: http.StatusInternalServerError},
	authorization: unknownError,
	token:         unknownToken,
	registration:  unknownToken,
	admin:         internalFailed,
}

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
