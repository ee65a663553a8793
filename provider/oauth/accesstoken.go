package oauth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/tokens"
	"github.com/curfew-id/curfew/storage"
)

// activeToken is an active access token, opaque or JWT.
type activeToken struct {
	token  storage.Token // for a JWT: made from its claims, without Hash
	grant  storage.Grant // zero for client_credentials
	client *storage.Client
	jti    string // of a JWT; empty for an opaque token
}

// lookupToken returns an active access token. It removes the scopes and audiences that the client may not have any
// more. It returns storage.ErrNotFound if the token is expired, revoked or unknown, or if the client may no longer have
// a token of that kind.
func (s *Server) lookupToken(ctx context.Context, text string) (activeToken, error) {
	active, err := s.lookupIssuedToken(ctx, text)
	if err != nil {
		return active, err
	}
	if !active.client.MayUseAccessToken(active.grant) {
		return active, fmt.Errorf("use token: %w", storage.ErrNotFound)
	}
	if active.token.Scope, err = s.allowedScope(ctx, active.client, active.grant, active.token.Scope); err != nil {
		return active, err
	}
	active.token.Audience = s.Minter.AllowedAudience(active.client, active.token.Scope, active.token.Audience)
	return active, nil
}

// allowedScope returns the values of scope that the client and the grant's user may still have. The zero grant stands
// for client_credentials tokens, which have no user.
func (s *Server) allowedScope(
	ctx context.Context,
	c *storage.Client,
	g storage.Grant,
	scope []string,
) ([]string, error) {
	return s.allowedToUser(ctx, g.Subject, s.Minter.APIScopes.Allowed(c, scope))
}

// allowedToUser returns the values of scope that the user may still grant. It reads the user only if a group decides.
// An empty subject stands for no user.
func (s *Server) allowedToUser(ctx context.Context, subject string, scope []string) ([]string, error) {
	if !s.Minter.APIScopes.NeedUser(scope) {
		return scope, nil
	}
	var user storage.User
	if subject != "" {
		var err error
		user, err = s.Store.User(ctx, subject)
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return nil, err
		}
	}
	return s.Minter.APIScopes.AllowedToUser(user, scope), nil
}

// lookupIssuedToken returns an active access token with all scopes and audiences that it was issued with. It does not
// find tokens of other kinds: opaque access tokens have their own prefix, and JWT access tokens their own typ.
func (s *Server) lookupIssuedToken(ctx context.Context, text string) (activeToken, error) {
	now := s.Now()
	if !strings.Contains(text, ".") {
		return s.lookupOpaqueToken(ctx, text, now)
	}
	return s.lookupJWT(ctx, text, now)
}

// lookupOpaqueToken returns an active opaque access token.
func (s *Server) lookupOpaqueToken(ctx context.Context, text string, now time.Time) (active activeToken, err error) {
	if !looksLikeToken(text, tokens.AccessPrefix) {
		return active, fmt.Errorf("find token: %w", storage.ErrNotFound)
	}
	if active.token, active.grant, err = s.Store.Token(ctx, storage.HashOf(text), now); err != nil {
		return active, err
	}
	active.client, err = s.clientOfToken(ctx, active.token.Client)
	return active, err
}

// lookupJWT returns an active JWT access token. Beside the signature it checks that the grant and the client session
// are active and that the JWT itself was not revoked, which a resource server cannot check.
func (s *Server) lookupJWT(ctx context.Context, text string, now time.Time) (active activeToken, err error) {
	claims, err := s.Ring.VerifyAccessToken(text, now)
	if errors.Is(err, keys.ErrInvalidToken) {
		return active, fmt.Errorf("verify token: %w: %w", storage.ErrNotFound, err)
	}
	if err != nil {
		return active, err
	}
	id, ok := tokens.ParseAccessTokenID(claims.ID)
	if !ok {
		return active, fmt.Errorf("read jti: %w", storage.ErrNotFound)
	}
	if active.client, err = s.clientOfToken(ctx, claims.Client); err != nil {
		return active, err
	}
	if id.Grant != "" {
		active.grant, err = s.Store.ActiveGrant(ctx, id.Grant, claims.SID, now)
	} else {
		// A client_credentials token has no grant. A cutoff of the client that was written after Sequence revokes it.
		err = s.Store.ClientCredentialsTokenActive(ctx, claims.Client, id.Sequence)
	}
	if err != nil {
		return active, err
	}
	isRevoked, err := s.Store.WasUsed(ctx, revocationID(claims.ID), id.Issued, claims.Expires, now)
	if err != nil {
		return active, err
	}
	if isRevoked {
		return active, fmt.Errorf("find token: %w", storage.ErrNotFound)
	}
	active.jti = claims.ID
	active.token = storage.Token{
		Grant:    id.Grant,
		SID:      claims.SID,
		Client:   claims.Client,
		Subject:  active.grant.Subject,
		Scope:    claims.Scope,
		Audience: claims.Audience,
		Issued:   id.Issued,
		Expires:  claims.Expires,
	}
	return active, nil
}

// revocationID returns the ID under which the replay cache records that a JWT access token was revoked: /revoke marks
// it as used.
func revocationID(jti string) string { return "access token " + jti }

// clientOfToken returns the client of a token if it is enabled. The methods of the store that look up the token or its
// grant refuse a token that was issued to an earlier client with the same id.
func (s *Server) clientOfToken(ctx context.Context, id string) (*storage.Client, error) {
	c, err := s.Store.Client(ctx, id)
	if err != nil {
		return nil, err
	}
	if c.Disabled {
		return nil, fmt.Errorf("find client: %w", storage.ErrNotFound)
	}
	return c, nil
}
