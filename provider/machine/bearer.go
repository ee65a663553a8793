package machine

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

// bearer is a living access token, whatever its form.
type bearer struct {
	token  storage.Token // of a JWT: what it says, but for Hash
	grant  storage.Grant // zero for client_credentials
	client *storage.Client
	jti    string // of a JWT
}

// bearer finds a living access token, with what of it the client may have now. ErrNotFound: it is dead, or none of ours.
func (s *Server) bearer(ctx context.Context, text string) (bearer, error) {
	b, err := s.issued(ctx, text)
	if err != nil {
		return b, err
	}
	if !tokens.MayUse(b.client, b.grant) {
		return b, fmt.Errorf("use token: %w", storage.ErrNotFound)
	}
	b.token.Scope, b.token.Audience = tokens.Within(b.client, b.token.Scope), tokens.ForWhom(b.client, b.token.Audience)
	return b, nil
}

// issued finds a living access token as it was given out. A token of any other kind is none: opaque ones have a prefix and a place of their
// own, JWTs a typ.
func (s *Server) issued(ctx context.Context, text string) (bearer, error) {
	now := s.Now()
	if !strings.Contains(text, ".") {
		return s.opaqueBearer(ctx, text, now)
	}
	return s.jwtBearer(ctx, text, now)
}

func (s *Server) opaqueBearer(ctx context.Context, text string, now time.Time) (b bearer, err error) {
	if !opaque(text, tokens.AccessPrefix) {
		return b, fmt.Errorf("find token: %w", storage.ErrNotFound)
	}
	if b.token, b.grant, err = s.Store.Token(ctx, storage.HashOf(text), now); err != nil {
		return b, err
	}
	b.client, err = s.living(ctx, b.token.Client, b.token.Issued)
	return b, err
}

// jwtBearer checks what only we can: that the grant and membership of a JWT live, and that it was not revoked by itself.
func (s *Server) jwtBearer(ctx context.Context, text string, now time.Time) (b bearer, err error) {
	said, err := s.Ring.VerifyAccessToken(text, now)
	if errors.Is(err, keys.ErrToken) {
		return b, fmt.Errorf("verify token: %w: %w", storage.ErrNotFound, err)
	}
	if err != nil {
		return b, err
	}
	id, ok := tokens.ParseAccessID(said.ID)
	if !ok {
		return b, fmt.Errorf("read jti: %w", storage.ErrNotFound)
	}
	if b.client, err = s.living(ctx, said.Client, id.Issued); err != nil {
		return b, err
	}
	if id.Grant != "" {
		b.grant, err = s.Store.LiveGrant(ctx, id.Grant, said.SID, id.Issued, now)
	} else {
		err = s.Store.LiveOwnToken(ctx, said.Client, id.Issued)
	}
	if err != nil {
		return b, err
	}
	revoked, err := s.Store.Spent(ctx, revokedID(said.ID), id.Issued, said.Expires, now)
	if err == nil && revoked {
		err = fmt.Errorf("find token: %w", storage.ErrNotFound)
	}
	b.jti = said.ID
	b.token = storage.Token{Grant: id.Grant, SID: said.SID, Client: said.Client, Subject: b.grant.Subject, Scope: said.Scope, Audience: said.Audience, Issued: id.Issued, Expires: said.Expires}
	return b, err
}

// revokedID is under what a JWT access token that was revoked by itself is spent.
func revokedID(jti string) string { return "access token " + jti }

// living finds the client of a token: not disabled, and not another of the same name that came later.
func (s *Server) living(ctx context.Context, id string, issued time.Time) (*storage.Client, error) {
	c, err := s.Store.Client(ctx, id)
	if err == nil && (c.Disabled || issued.Before(c.Created)) {
		return nil, fmt.Errorf("find client: %w", storage.ErrNotFound)
	}
	return c, err
}
