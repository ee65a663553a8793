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

// This file writes errors as responses to programs (RFC 6749 §5.2, RFC 6750 §3.1). Package web chooses the response
// to an error. Descriptions are fixed texts, so that they contain nothing from the request and nothing internal.

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

// invalidClient returns an error with status 401. RFC 6749 §5.2 allows 401 for every authentication method.
func invalidClient(description string) web.OAuthError {
	return newError(http.StatusUnauthorized, "invalid_client", description)
}

// invalidToken returns the error for an access token that is not active (RFC 6750 §3.1).
func invalidToken() web.OAuthError {
	return newError(http.StatusUnauthorized, "invalid_token", "the access token is unknown, has expired or was revoked")
}

// errorFrom converts an error of the store, the minter or this package to the response.
func errorFrom(err error) web.OAuthError {
	if errors.Is(err, tokens.ErrScopeNotGranted) {
		return invalidScope("scope is more than what was granted")
	}
	if errors.Is(err, tokens.ErrResourceNotGranted) { // RFC 8707 §2
		description := "resource must name exactly the audience of the client and of the APIs whose scopes are granted"
		return newError(http.StatusBadRequest, "invalid_target", description).About("resource")
	}
	return web.TokenErrorFrom(err)
}

// requestOutcome collects data about a request to the library, for the log.
type requestOutcome struct {
	client string // the client_id in the request
	err    error  // nil if the request was not refused
}

type requestOutcomeKey struct{}

// refuse records the error for the log and returns it in the form that the library renders. For nil it returns nil.
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

// libraryError is an error in a form that the library understands.
type libraryError struct{ web.OAuthError }

// As converts the error to the library's types for errors.As.
func (e libraryError) As(target any) bool {
	oidcErr := &oidc.Error{Description: e.Description, Parent: e.Err}
	setText(&oidcErr.ErrorType, e.Code)
	switch target := target.(type) {
	case *op.StatusError:
		*target = op.NewStatusError(oidcErr, e.Status)
	case **oidc.Error:
		*target = oidcErr
	default:
		return false
	}
	return true
}

// setText sets a field whose string type the library does not export.
func setText[T ~string](target *T, text string) { *target = T(text) }

// logError logs why a request was refused or failed.
func (s *Server) logError(ctx context.Context, client string, err error) {
	e := errorFrom(err)
	if e.Subject.Client == "" {
		e.Subject.Client = client
	}
	e.Log(ctx, s.logger())
}

// writeError writes an error response of an endpoint that does not use the library.
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
	_ = json.NewEncoder(w).Encode(body) // an error means that the client closed the connection
}
