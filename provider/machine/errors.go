package machine

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/curfew-id/curfew/provider/tokens"
	"github.com/curfew-id/curfew/storage"
)

// This file is where errors become answers (RFC 6749 §5.2, RFC 6750 §3.1). A description says what is wrong and what to do. It is fixed text, so
// that nothing of the request or of our insides gets into it, and keeps to the characters that §5.2 allows.

// problem is what a client is told.
type problem struct {
	status      int
	code        string
	description string
	cause       error // for the log
}

func (p problem) Error() string { return p.code + ": " + p.description }

func (p problem) Unwrap() error { return p.cause }

// As gives the library the form that it looks for.
func (p problem) As(target any) bool {
	e := &oidc.Error{Description: p.description, Parent: p.cause}
	setText(&e.ErrorType, p.code)
	switch t := target.(type) {
	case *op.StatusError:
		*t = op.NewStatusError(e, p.status)
	case **oidc.Error:
		*t = e
	default:
		return false
	}
	return true
}

// setText sets a value of a string type that its package does not export.
func setText[T ~string](to *T, text string) { *to = T(text) }

// retryAfter is the pause, in seconds, before a client tries again where the store did not answer.
const retryAfter = "5"

func invalidRequest(why string) error {
	return problem{http.StatusBadRequest, "invalid_request", why, nil}
}

func invalidGrant(why string) error {
	return problem{http.StatusBadRequest, "invalid_grant", why, nil}
}

func invalidScope(why string) error {
	return problem{http.StatusBadRequest, "invalid_scope", why, nil}
}

// invalidClient is 401, whatever way of authentication the client used (RFC 6749 §5.2 allows it).
func invalidClient(why string) error {
	return problem{http.StatusUnauthorized, "invalid_client", why, nil}
}

// invalidToken is the answer to a bearer of a token that is not alive (RFC 6750 §3.1).
func invalidToken() error {
	return problem{http.StatusUnauthorized, "invalid_token", "the access token has ended, is past its time or is none of ours", nil}
}

// refusal turns an error of the store or the minter into what a client is told. An unknown one says nothing.
func refusal(err error) problem {
	var known problem
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, tokens.ErrScope):
		return problem{http.StatusBadRequest, "invalid_scope", "scope is more than what was granted", nil}
	case errors.Is(err, storage.ErrNotFound), errors.Is(err, storage.ErrEnded), errors.Is(err, storage.ErrSpent):
		return problem{http.StatusBadRequest, "invalid_grant", "the grant has ended, is past its time, was used before or belongs to another client", nil}
	case errors.Is(err, storage.ErrUnavailable), errors.Is(err, storage.ErrFull), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return problem{http.StatusServiceUnavailable, "server_error", "try again in a few seconds", err}
	}
	return problem{http.StatusInternalServerError, "server_error", "", err}
}

// fail answers outside the library. An error of ours is logged here, once; a client's mistake shows in the request's own line.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := refusal(err)
	if p.status >= http.StatusInternalServerError {
		s.logger().LogAttrs(r.Context(), slog.LevelError, "request failed", slog.Int("status", p.status), slog.Any("err", p.cause))
	}
	s.write(w, p)
}

func (s *Server) write(w http.ResponseWriter, p problem) {
	noStore(w)
	if p.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", retryAfter)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(p.status)
	body := struct {
		Error       string `json:"error"`
		Description string `json:"error_description,omitempty"`
	}{p.code, p.description}
	// A client that is gone cannot be told.
	_ = json.NewEncoder(w).Encode(body)
}
