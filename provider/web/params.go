package web

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// MaxFormSize is the maximum size of a query or a form, in bytes.
const MaxFormSize = 64 << 10

// RepeatedParamError says that a request contains a parameter more than once (RFC 6749 §3.1).
type RepeatedParamError struct{ Name string }

// Error returns a text with the name of the parameter. It omits a name that is not loggable, because users and clients
// see the text and the name comes from the request.
func (e RepeatedParamError) Error() string {
	if e.loggableName() == "" {
		return "a parameter is given more than once"
	}
	return "the parameter " + e.Name + " is given more than once"
}

// loggableName returns the name if it looks like the name of a parameter, else "".
func (e RepeatedParamError) loggableName() string {
	const maxLength = 40
	const letters = "abcdefghijklmnopqrstuvwxyz_-"
	if len(e.Name) > maxLength || strings.Trim(e.Name, letters) != "" {
		return ""
	}
	return e.Name
}

var (
	// ErrForm says that the query or the body is not well formed.
	ErrForm = errors.New("the request is not a well-formed query or form")
	// ErrFormSize says that the query or the body is larger than MaxFormSize.
	ErrFormSize = errors.New("the request is larger than 64 kB")
)

// Params reads the parameters of a browser's request: the query and, for a POST, the form. It returns a
// RepeatedParamError if a parameter occurs more than once, except the repeatable ones. With that error it also returns
// the parameters, so that the caller can find the client to which the error goes.
func Params(r *http.Request, repeatable ...string) (url.Values, error) {
	if len(r.URL.RawQuery) > MaxFormSize {
		return nil, ErrFormSize
	}
	encoded := r.URL.RawQuery
	if r.Method == http.MethodPost {
		mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if err != nil || mediaType != "application/x-www-form-urlencoded" {
			return nil, ErrForm
		}
		body, err := io.ReadAll(io.LimitReader(r.Body, MaxFormSize+1))
		if err != nil {
			return nil, ErrForm
		}
		if len(body) > MaxFormSize {
			return nil, ErrFormSize
		}
		encoded += "&" + string(body)
	}
	// url.ParseQuery refuses a raw semicolon. RFC 3986 §3.4 allows it in a query, where only & separates parameters.
	values, err := url.ParseQuery(strings.ReplaceAll(encoded, ";", "%3B"))
	if err != nil {
		return nil, ErrForm
	}
	var repeated []string
	for name, v := range values {
		if len(v) > 1 && !slices.Contains(repeatable, name) {
			repeated = append(repeated, name)
		}
	}
	if len(repeated) > 0 {
		return values, RepeatedParamError{slices.Min(repeated)} // the same request always gets the same error
	}
	return values, nil
}
