package web

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
)

// MaxForm is the largest form or query that is read.
const MaxForm = 64 << 10

// ErrRepeated: a parameter stands there more than once (RFC 6749 §3.1: "MUST NOT be included more than once").
var ErrRepeated = errors.New("parameter given more than once")

// ErrForm: the body is no form of a size we read.
var ErrForm = errors.New("the request body is not a form of at most 64 kB")

// Params reads the parameters of a browser's request: the query of a GET, the form of a POST. A parameter that stands twice, or in
// both, gives ErrRepeated with its name; the parameters are returned all the same, so that the caller can tell the right client.
func Params(r *http.Request) (url.Values, error) {
	if len(r.URL.RawQuery) > MaxForm {
		return nil, ErrForm
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", ErrForm, "the query is not well formed")
	}
	if r.Method == http.MethodPost {
		kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if err != nil || kind != "application/x-www-form-urlencoded" {
			return nil, ErrForm
		}
		body, err := io.ReadAll(io.LimitReader(r.Body, MaxForm+1))
		if err != nil || len(body) > MaxForm {
			return nil, ErrForm
		}
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, ErrForm
		}
		for name, v := range form {
			values[name] = append(values[name], v...)
		}
	}
	for name, v := range values {
		if len(v) > 1 {
			return values, fmt.Errorf("%w: %s", ErrRepeated, name)
		}
	}
	return values, nil
}
