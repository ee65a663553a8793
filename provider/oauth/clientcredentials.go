package oauth

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/curfew-id/curfew/provider/tokens"
	"github.com/curfew-id/curfew/storage"
)

// issueClientToken issues an access token for the client itself (RFC 6749 §4.4). sequence is the store's sequence,
// read before the client. An opaque token is stored, a JWT is not.
func (s *Server) issueClientToken(
	ctx context.Context,
	c *storage.Client,
	sequence storage.Sequence,
	form url.Values,
) (response tokens.Response, err error) {
	allowed := s.Minter.APIScopes.OfClient(c)
	scope, ok := clientCredentialsScope(allowed, strings.Fields(form.Get("scope")))
	if !ok {
		return response, invalidScope("scope has a scope that the client may not have for itself, or one about a user")
	}
	if scope, ok = s.Minter.APIScopes.Narrow(c, scope, form["resource"]); !ok {
		return response, tokens.ErrResourceNotGranted
	}
	// sub is the client_id, so the client_id must not also be the subject of a user (RFC 9068 §5).
	_, err = s.Store.User(ctx, c.ClientID)
	if err == nil {
		return response, newError(
			http.StatusBadRequest,
			"unauthorized_client",
			"the client_id is also the subject of a user",
		)
	}
	if !errors.Is(err, storage.ErrNotFound) {
		return response, err
	}
	response, record, err := s.Minter.NewClientCredentialsToken(c, scope, sequence, s.Now())
	if err != nil || record == nil {
		return response, err
	}
	return response, s.Store.PutToken(ctx, *record)
}

// clientCredentialsScope returns the scope of a token for the client itself: the requested scopes, or by default all
// allowed ones. ok is false if a requested scope is not allowed.
func clientCredentialsScope(allowed, requested []string) (scope []string, ok bool) {
	if len(requested) == 0 {
		return allowed, true
	}
	for _, s := range requested {
		if !slices.Contains(allowed, s) {
			return nil, false
		}
	}
	return requested, true
}
