package oauth

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

// oauthError is what a client is told.
type oauthError struct {
	status      int
	code        string
	description string
	cause       error // for the log
}

func (e oauthError) Error() string { return e.code + ": " + e.description }

func (e oauthError) Unwrap() error { return e.cause }

// As gives the library the form that it looks for.
func (e oauthError) As(target any) bool {
	oidcErr := &oidc.Error{Description: e.description, Parent: e.cause}
	setText(&oidcErr.ErrorType, e.code)
	switch t := target.(type) {
	case *op.StatusError:
		*t = op.NewStatusError(oidcErr, e.status)
	case **oidc.Error:
		*t = oidcErr
	default:
		return false
	}
	return true
}

// setText sets a value of a string type that its package does not export.
func setText[T ~string](target *T, text string) { *target = T(text) }

// retryAfterSeconds is the pause, in seconds, before a client tries again where the store did not answer.
const retryAfterSeconds = "5"

func invalidRequest(description string) error {
	return oauthError{http.StatusBadRequest, "invalid_request", description, nil}
}

func invalidGrant(description string) error {
	return oauthError{http.StatusBadRequest, "invalid_grant", description, nil}
}

func invalidScope(description string) error {
	return oauthError{http.StatusBadRequest, "invalid_scope", description, nil}
}

// invalidClient is 401, whatever way of authentication the client used (RFC 6749 §5.2 allows it).
func invalidClient(description string) error {
	return oauthError{http.StatusUnauthorized, "invalid_client", description, nil}
}

// invalidToken is the answer to a bearer of a token that is not alive (RFC 6750 §3.1).
func invalidToken() error {
	return oauthError{http.StatusUnauthorized, "invalid_token", "the access token has ended, is past its time or is none of ours", nil}
}

// toOAuthError turns an error of the store or the minter into what a client is told. An unknown one says nothing.
func toOAuthError(err error) oauthError {
	var oauthErr oauthError
	switch {
	case errors.As(err, &oauthErr):
		return oauthErr
	case errors.Is(err, tokens.ErrScopeNotGranted):
		return oauthError{http.StatusBadRequest, "invalid_scope", "scope is more than what was granted", nil}
	case errors.Is(err, storage.ErrNotFound), errors.Is(err, storage.ErrRevoked), errors.Is(err, storage.ErrAlreadyUsed):
		return oauthError{http.StatusBadRequest, "invalid_grant", "the grant has ended, is past its time, was used before or belongs to another client", nil}
	case errors.Is(err, storage.ErrUnavailable), errors.Is(err, storage.ErrFull), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return oauthError{http.StatusServiceUnavailable, "server_error", "try again in a few seconds", err}
	}
	return oauthError{http.StatusInternalServerError, "server_error", "", err}
}

// writeError answers outside the library. An error of ours is logged here, once; a client's mistake shows in the request's own line.
func (s *Server) writeError(w http.ResponseWriter, r *http.Request, err error) {
	oauthErr := toOAuthError(err)
	if oauthErr.status >= http.StatusInternalServerError {
		s.logger().LogAttrs(r.Context(), slog.LevelError, "request failed", slog.Int("status", oauthErr.status), slog.Any("err", oauthErr.cause))
	}
	s.writeOAuthError(w, oauthErr)
}

func (s *Server) writeOAuthError(w http.ResponseWriter, e oauthError) {
	noStore(w)
	if e.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", retryAfterSeconds)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(e.status)
	body := struct {
		Error       string `json:"error"`
		Description string `json:"error_description,omitempty"`
	}{e.code, e.description}
	// A client that is gone cannot be told.
	_ = json.NewEncoder(w).Encode(body)
}
