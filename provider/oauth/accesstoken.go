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

// activeToken is an active access token, whatever its form.
type activeToken struct {
	token  storage.Token // of a JWT: what it says, but for Hash
	grant  storage.Grant // zero for client_credentials
	client *storage.Client
	jti    string // of a JWT
}

// lookupToken finds an active access token, reduced to the scopes and audiences that the client may still have.
// ErrNotFound: it is expired, revoked or unknown.
func (s *Server) lookupToken(ctx context.Context, text string) (activeToken, error) {
	active, err := s.lookupIssuedToken(ctx, text)
	if err != nil {
		return active, err
	}
	if !active.client.MayUseAccessToken(active.grant) {
		return active, fmt.Errorf("use token: %w", storage.ErrNotFound)
	}
	active.token.Scope, active.token.Audience = active.client.AllowedScope(
		active.token.Scope,
	), tokens.AllowedAudience(
		active.client,
		active.token.Audience,
	)
	return active, nil
}

// lookupIssuedToken finds an active access token as it was issued. A token of any other kind is not found: opaque
// access tokens have a prefix and a place of their own, JWTs a typ.
func (s *Server) lookupIssuedToken(ctx context.Context, text string) (activeToken, error) {
	now := s.Now()
	if !strings.Contains(text, ".") {
		return s.lookupOpaqueToken(ctx, text, now)
	}
	return s.lookupJWT(ctx, text, now)
}

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

// lookupJWT checks what a resource server cannot: that the grant and the client session of a JWT are active, and that
// the JWT itself was not revoked.
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
		err = s.Store.ClientTokenActive(ctx, claims.Client, id.Sequence)
	}
	if err != nil {
		return active, err
	}
	revoked, err := s.Store.WasUsed(ctx, revocationID(claims.ID), id.Issued, claims.Expires, now)
	if err == nil && revoked {
		err = fmt.Errorf("find token: %w", storage.ErrNotFound)
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
	return active, err
}

// revocationID is under what a JWT access token that was revoked by itself is spent.
func revocationID(jti string) string { return "access token " + jti }

// clientOfToken finds the client of a token unless it is disabled. The store knows whether a token was issued to an
// earlier client with the same id.
func (s *Server) clientOfToken(ctx context.Context, id string) (*storage.Client, error) {
	c, err := s.Store.Client(ctx, id)
	if err == nil && c.Disabled {
		return nil, fmt.Errorf("find client: %w", storage.ErrNotFound)
	}
	return c, err
}
