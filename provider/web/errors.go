package web

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/curfew-id/curfew/templates"
)

// Subject is the client and the parameter that an error is about. It is only logged.
type Subject struct {
	Client string // the client_id in the request
	Param  string // the wrong parameter
	Value  string // the loggable part of its value; see LoggableURI
}

// PageError is an error that a page shows to the user, because it must not go to a client. Package templates has the
// texts. Reason, Subject and Err are only logged.
type PageError struct {
	Status  int                 // HTTP status; 0 counts as 400
	Text    templates.ErrorText // the key of the page's texts; empty: the texts for Status
	Value   string              // a value in the texts: the host of a redirect URI or the name of a parameter
	Contact string              // for templates.ErrorNotAdmitted: the address to ask
	LinkURL string              // the target of the link on the page
	Link    templates.ErrorLink // the key of the text of that link
	// OtherAccountURL is the target of a link to sign in with another account; empty: no link.
	OtherAccountURL string

	RetryAfter time.Duration // for 429 and 503
	Reason     string        // the reason for the log, if Text does not say it
	Subject    Subject
	Err        error // the cause, if Curfew failed
}

// Error returns the reason for the log.
func (e PageError) Error() string {
	switch {
	case e.Reason != "":
		return e.Reason
	case e.Text != "":
		return e.Text.LogText(e.Value)
	}
	return http.StatusText(e.status())
}

// Unwrap returns the cause.
func (e PageError) Unwrap() error { return e.Err }

// status returns Status or its default.
func (e PageError) status() int {
	if e.Status == 0 {
		return http.StatusBadRequest
	}
	return e.Status
}

// OAuthError is an error that goes to a client (RFC 6749 §4.1.2.1 and §5.2, Core §3.1.2.6, RFC 6750 §3.1, RFC 7591
// §3.2.2). Description says what is wrong and what to do. It contains nothing internal, and only the characters that
// RFC 6749 §5.2 allows.
type OAuthError struct {
	Status      int // HTTP status; 0 for an error that goes to the client in a redirect
	Code        string
	Description string
	Reason      string // the reason for the log, if Description does not say it
	Subject     Subject
	Err         error // the cause; for the log
}

// Error returns code and description.
func (e OAuthError) Error() string { return e.Code + ": " + e.Description }

// Unwrap returns the cause.
func (e OAuthError) Unwrap() error { return e.Err }

// About returns a copy of the error with the wrong parameter, which is only logged.
func (e OAuthError) About(param string) OAuthError {
	e.Subject.Param = param
	return e
}

// PageErrorFrom returns the error page for err. The page for an unknown error has status 500 and shows no details.
func PageErrorFrom(err error) PageError {
	var pageErr PageError
	var repeated RepeatedParamError
	switch {
	case errors.As(err, &pageErr):
		return pageErr
	case errors.As(err, &repeated):
		return PageError{
			Text:    templates.ErrorRepeatedParameter,
			Value:   repeated.loggableName(),
			Subject: Subject{Param: repeated.loggableName()},
		}
	}
	row := findRow(err)
	pageErr = row.page
	if pageErr.Status >= http.StatusInternalServerError {
		pageErr.Err = err
	} else {
		pageErr.Reason = err.Error()
	}
	return pageErr
}

// AuthorizationErrorFrom returns the error response of the authorization endpoint for err. An unknown error becomes
// server_error without a description.
func AuthorizationErrorFrom(err error) OAuthError {
	return oauthErrorFrom(err, func(row tableRow) answer { return row.authorization })
}

// TokenErrorFrom returns the error response of the token, introspection, revocation and UserInfo endpoints for err.
func TokenErrorFrom(err error) OAuthError {
	return oauthErrorFrom(err, func(row tableRow) answer { return row.token })
}

// RegistrationErrorFrom returns the error response of the registration endpoints for err.
func RegistrationErrorFrom(err error) OAuthError {
	return oauthErrorFrom(err, func(row tableRow) answer { return row.registration })
}

// AdminErrorFrom returns status, code and text of the admin API's error response for err.
func AdminErrorFrom(err error) (status int, code, text string) {
	a := findRow(err).admin
	return a.status, a.code, a.text
}

// oauthErrorFrom returns err if it is an OAuthError, else the response in the given column of the error table.
func oauthErrorFrom(err error, column func(tableRow) answer) OAuthError {
	var oauthErr OAuthError
	if errors.As(err, &oauthErr) {
		return oauthErr
	}
	row := findRow(err)
	a := column(row)
	oauthErr = OAuthError{Status: a.status, Code: a.code, Description: a.text, Reason: err.Error()}
	if row.page.Status >= http.StatusInternalServerError {
		oauthErr.Err = err
	}
	return oauthErr
}

// RetryAfter returns the value of a Retry-After header: whole seconds, rounded up.
func RetryAfter(wait time.Duration) string {
	return strconv.Itoa(int((wait + time.Second - 1) / time.Second))
}
