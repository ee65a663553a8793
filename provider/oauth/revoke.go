package oauth

import (
	"context"
	"errors"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/curfew-id/curfew/provider/tokens"
	"github.com/curfew-id/curfew/storage"
)

// Revocation revokes a token of the client that asks (RFC 7009 §2.1): an access token alone, or a refresh token with all that it led to. What is
// unknown or dead already is revoked as it should be (§2.2). token_type_hint is not needed, and a wrong one changes nothing.
func (s *Server) Revocation(ctx context.Context, r *op.ClientRequest[oidc.RevocationRequest]) (*op.Response, error) {
	c := r.Client.(opClient).record
	var err error
	if looksLikeToken(r.Data.Token, tokens.RefreshPrefix) {
		err = s.revokeRefresh(ctx, c, r.Data.Token)
	} else {
		err = s.revokeAccess(ctx, c, r.Data.Token)
	}
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return nil, toOAuthError(err)
	}
	return op.NewResponse(nil), nil
}

// errOtherClientsToken: §2.1 demands that the client is told.
var errOtherClientsToken = invalidGrant("the token was issued to another client")

func (s *Server) revokeRefresh(ctx context.Context, c *storage.Client, refreshToken string) error {
	// One that was exchanged counts too: its family is what is meant.
	g, _, err := s.Store.GrantByRefresh(ctx, storage.HashOf(refreshToken), s.Now())
	if err != nil {
		return err
	}
	if g.Client != c.ClientID {
		return errOtherClientsToken
	}
	cause := storage.Cause{Reason: storage.ReasonTokenRevoked, By: "client:" + c.ClientID, Client: c.ClientID}
	_, err = s.Terminator.End(ctx, storage.EndRequest{Selector: storage.Selector{Grant: g.ID}, Cause: cause})
	return err
}

func (s *Server) revokeAccess(ctx context.Context, c *storage.Client, token string) error {
	active, err := s.lookupIssuedToken(ctx, token) // one that its client may not use now, too
	if err != nil {
		return err
	}
	if active.token.Client != c.ClientID {
		return errOtherClientsToken
	}
	if active.jti == "" {
		return s.Store.DeleteToken(ctx, active.token.Hash)
	}
	err = s.Store.MarkUsed(ctx, revocationID(active.jti), active.token.Issued, active.token.Expires, s.Now())
	if errors.Is(err, storage.ErrAlreadyUsed) {
		return nil
	}
	return err
}
