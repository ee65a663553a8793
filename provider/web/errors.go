package web

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/curfew-id/curfew/templates"
)

// Subject says what of a request an error is about. It goes to the log only.
type Subject struct {
	Client string // the client_id that the request names
	Param  string // the parameter at fault
	Value  string // its value where the log may have it; see LoggableURI
}

// PageError is an error whose answer is a page, because it must not go to a client. Its texts are in the catalog of
// package templates; Reason, Subject and Err go to the log only.
type PageError struct {
	Status     int                 // default 400
	Text       templates.ErrorText // names the texts; empty: those that go with Status
	Value      string              // a value that the texts show: the host of a redirect URI, the name of a parameter
	LinkURL    string              // where to go on, with Link
	Link       templates.ErrorLink
	RetryAfter time.Duration // with 429 and 503
	Reason     string        // for the log, where Text does not say it
	Subject    Subject
	Err        error // the cause of a failure of ours
}

// Error is the reason for the log.
func (e PageError) Error() string {
	switch {
	case e.Reason != "":
		return e.Reason
	case e.Text != "":
		return e.Text.LogText(e.Value)
	}
	return http.StatusText(e.status())
}

// Unwrap is the cause.
func (e PageError) Unwrap() error { return e.Err }

func (e PageError) status() int {
	if e.Status == 0 {
		return http.StatusBadRequest
	}
	return e.Status
}

// OAuthError is an error that goes to a client (RFC 6749 §4.1.2.1 and §5.2, Core §3.1.2.6, RFC 6750 §3.1, RFC 7591
// §3.2.2). Description says what is wrong and what to do. It holds nothing internal, and only the characters that
// §5.2 allows.
type OAuthError struct {
	Status      int // of an endpoint that answers programs; 0 in redirects
	Code        string
	Description string
	Reason      string // for the log, where Description does not say it
	Subject     Subject
	Err         error // the cause; for the log
}

func (e OAuthError) Error() string { return e.Code + ": " + e.Description }

// Unwrap is the cause.
func (e OAuthError) Unwrap() error { return e.Err }

// About returns the error with the parameter that it is about.
func (e OAuthError) About(param string) OAuthError {
	e.Subject.Param = param
	return e
}

// PageErrorFrom returns the page that answers err. An unknown error becomes 500 and says nothing.
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

// TokenErrorFrom returns the answer of the token, introspection, revocation and userinfo endpoints to err.
func TokenErrorFrom(err error) OAuthError {
	return oauthErrorFrom(err, func(row tableRow) answer { return row.token })
}

// RegistrationErrorFrom returns the answer of the registration endpoints to err.
func RegistrationErrorFrom(err error) OAuthError {
	return oauthErrorFrom(err, func(row tableRow) answer { return row.registration })
}

// AdminErrorFrom returns status, code and text of the admin API's answer to err.
func AdminErrorFrom(err error) (status int, code, text string) {
	a := findRow(err).admin
	return a.status, a.code, a.text
}

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

// RetryAfter is the value of the header of that name: whole seconds, rounded up.
func RetryAfter(wait time.Duration) string {
	return strconv.Itoa(int((wait + time.Second - 1) / time.Second))
}
