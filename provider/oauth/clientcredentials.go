package oauth

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/curfew-id/curfew/provider/tokens"
	"github.com/curfew-id/curfew/storage"
)

// issueClientToken issues an access token for the client itself (RFC 6749 §4.4). sequence is the store's sequence, read
// before the client. An opaque token is stored, a JWT is not.
func (s *Server) issueClientToken(
	ctx context.Context,
	c *storage.Client,
	sequence storage.Sequence,
	requestedScope string,
) (response tokens.Response, err error) {
	scope, ok := clientCredentialsScope(c, strings.Fields(requestedScope))
	if !ok {
		return response, invalidScope("scope has a scope that is not registered for the client, or one about a user")
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
// registered scopes that are not about a user. ok is false if it contains another scope.
func clientCredentialsScope(c *storage.Client, requested []string) (scope []string, ok bool) {
	isAboutUser := func(scope string) bool { return slices.Contains(tokens.Scopes(), scope) }
	registered := slices.DeleteFunc(strings.Fields(c.Scope), isAboutUser)
	if len(requested) == 0 {
		return registered, true
	}
	for _, s := range requested {
		if !slices.Contains(registered, s) {
			return nil, false
		}
	}
	return requested, true
}
