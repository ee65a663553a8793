package oauth

import (
	"context"
	"errors"

	"github.com/curfew-id/curfew/provider/tokens"
	"github.com/curfew-id/curfew/storage"
)

// revoke revokes a token of the client (RFC 7009 §2.1). For an access token, it revokes only that token; for a refresh
// token, the whole grant. It succeeds too if the token is unknown, expired or already revoked (§2.2). It ignores
// token_type_hint, because the prefix of the token shows its kind.
func (s *Server) revoke(ctx context.Context, c *storage.Client, token string) error {
	revoke := s.revokeAccess
	if looksLikeToken(token, tokens.RefreshPrefix) {
		revoke = s.revokeRefresh
	}
	err := revoke(ctx, c, token)
	if errors.Is(err, storage.ErrNotFound) {
		return nil
	}
	return err
}

// errOtherClientsToken is the error for a token of another client, which RFC 7009 §2.1 requires.
var errOtherClientsToken = invalidGrant("the token was issued to another client").About("token")

// revokeRefresh revokes the grant of a refresh token.
func (s *Server) revokeRefresh(ctx context.Context, c *storage.Client, refreshToken string) error {
	// A refresh token that was already exchanged revokes the grant too.
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

// revokeAccess revokes an access token.
func (s *Server) revokeAccess(ctx context.Context, c *storage.Client, token string) error {
	active, err := s.lookupIssuedToken(ctx, token) // also a token that the client may not use at present
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
