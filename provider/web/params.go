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

// MaxFormSize is the largest form or query that is read.
const MaxFormSize = 64 << 10

// RepeatedParamError: a parameter stands there more than once (RFC 6749 §3.1: "MUST NOT be included more than once").
type RepeatedParamError struct{ Name string }

// Error names the parameter only where its name has the form of one: the request chose it, and a client or a user
// reads this.
func (e RepeatedParamError) Error() string {
	if e.loggableName() == "" {
		return "a parameter is given more than once"
	}
	return "the parameter " + e.Name + " is given more than once"
}

func (e RepeatedParamError) loggableName() string {
	if len(e.Name) > 40 || strings.Trim(e.Name, "abcdefghijklmnopqrstuvwxyz_-") != "" {
		return ""
	}
	return e.Name
}

var (
	// ErrForm: the query or the body is not well formed.
	ErrForm = errors.New("the request is not a well-formed query or form")
	// ErrFormSize: it is larger than MaxForm.
	ErrFormSize = errors.New("the request is larger than 64 kB")
)

// Params reads the parameters of a browser's request: the query of a GET, the form of a POST. A parameter that stands
// twice, or in both, gives a RepeatedError, unless it is one of lists, as boxes that share a name are; the parameters
// are returned with that error too, so that the caller can send it to the right client.
func Params(r *http.Request, repeatable ...string) (url.Values, error) {
	if len(r.URL.RawQuery) > MaxFormSize {
		return nil, ErrFormSize
	}
	query := r.URL.RawQuery
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
		query += "&" + string(body)
	}
	// url.ParseQuery refuses a raw semicolon. URLs may have it in a query (RFC 3986 §3.4), and only & parts parameters.
	values, err := url.ParseQuery(strings.ReplaceAll(query, ";", "%3B"))
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
		return values, RepeatedParamError{slices.Min(repeated)} // the same one each time
	}
	return values, nil
}
