package oauth

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/curfew-id/curfew/provider/tokens"
	"github.com/curfew-id/curfew/storage"
)

// ClientCredentialsExchange gives a client a token for itself (RFC 6749 §4.4). A JWT costs no commit.
func (s *Server) ClientCredentialsExchange(ctx context.Context, r *op.ClientRequest[oidc.ClientCredentialsRequest]) (*op.Response, error) {
	c := r.Client.(opClient).record
	scope, ok := clientCredentialsScope(c, strings.Fields(r.Form.Get("scope")))
	if !ok {
		return nil, invalidScope("scope holds what is not registered for the client, or what is about a person")
	}
	// Its sub is the client_id, which must not be taken for a person's (RFC 9068 §5).
	if _, err := s.Store.User(ctx, c.ClientID); !errors.Is(err, storage.ErrNotFound) {
		if err == nil {
			err = oauthError{http.StatusBadRequest, "unauthorized_client", "the client_id is also the subject of a person", nil}
		}
		return nil, toOAuthError(err)
	}
	response, record, err := s.Minter.NewClientCredentialsToken(c, scope, s.Now())
	if err == nil && record != nil {
		err = s.Store.PutToken(ctx, *record)
	}
	return newTokenResponse(response, err)
}

// clientCredentialsScope is what a client may have for itself: what was registered for it by name. Scopes about a person have no meaning here.
func clientCredentialsScope(c *storage.Client, requested []string) ([]string, bool) {
	registered := slices.DeleteFunc(strings.Fields(c.Scope), func(scope string) bool { return slices.Contains(tokens.Scopes(), scope) })
	if len(requested) == 0 {
		return registered, true
	}
	for _, scope := range requested {
		if !slices.Contains(registered, scope) {
			return nil, false
		}
	}
	return requested, true
}
