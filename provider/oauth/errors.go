package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/curfew-id/curfew/provider/tokens"
	"github.com/curfew-id/curfew/provider/web"
)

// This file renders errors as answers to programs (RFC 6749 §5.2, RFC 6750 §3.1). Which error gets which answer
// stands in package web. A description is fixed text, so that nothing of the request or of our internals gets into
// it.

func newError(status int, code, description string) web.OAuthError {
	return web.OAuthError{Status: status, Code: code, Description: description}
}

func invalidRequest(description string) web.OAuthError {
	return newError(http.StatusBadRequest, "invalid_request", description)
}

func invalidGrant(description string) web.OAuthError {
	return newError(http.StatusBadRequest, "invalid_grant", description)
}

func invalidScope(description string) web.OAuthError {
	return newError(http.StatusBadRequest, "invalid_scope", description).About("scope")
}

// invalidClient is 401, whichever way of authentication the client used (RFC 6749 §5.2 allows it).
func invalidClient(description string) web.OAuthError {
	return newError(http.StatusUnauthorized, "invalid_client", description)
}

// invalidToken answers a bearer of a token that is not active (RFC 6750 §3.1).
func invalidToken() web.OAuthError {
	return newError(http.StatusUnauthorized, "invalid_token", "the access token is unknown, has expired or was revoked")
}

// errorFrom finds the answer to an error of the store, the minter or this package.
func errorFrom(err error) web.OAuthError {
	if errors.Is(err, tokens.ErrScopeNotGranted) {
		return invalidScope("scope is more than what was granted")
	}
	return web.TokenErrorFrom(err)
}

// requestOutcome collects what a request through the library came to, for the log.
type requestOutcome struct {
	client string // the client_id that the request names
	err    error
}

type requestOutcomeKey struct{}

// refuse notes the error for the log and gives it the form that the library renders. nil stays nil.
func refuse(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	e := errorFrom(err)
	if outcome, ok := ctx.Value(requestOutcomeKey{}).(*requestOutcome); ok {
		outcome.err = e
	}
	return libraryError{e}
}

// libraryError is an error in the form that the library looks for.
type libraryError struct{ web.OAuthError }

// As gives the library its own types.
func (e libraryError) As(target any) bool {
	oidcErr := &oidc.Error{Description: e.Description, Parent: e.Err}
	setText(&oidcErr.ErrorType, e.Code)
	switch t := target.(type) {
	case *op.StatusError:
		*t = op.NewStatusError(oidcErr, e.Status)
	case **oidc.Error:
		*t = oidcErr
	default:
		return false
	}
	return true
}

// setText sets a value of a string type that its package does not export.
func setText[T ~string](target *T, text string) { *target = T(text) }

// logError writes the line of a request that was refused or failed.
func (s *Server) logError(ctx context.Context, client string, err error) {
	e := errorFrom(err)
	if e.Subject.Client == "" {
		e.Subject.Client = client
	}
	e.Log(ctx, s.logger())
}

// writeError renders an error outside the library.
func (s *Server) writeError(w http.ResponseWriter, err error) {
	e := errorFrom(err)
	noStore(w)
	if e.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", web.RetryAfter(web.BusyRetryAfter))
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(e.Status)
	body := struct {
		Error       string `json:"error"`
		Description string `json:"error_description,omitempty"`
	}{e.Code, e.Description}
	_ = json.NewEncoder(w).Encode(body) // fails only if the client has gone
}
