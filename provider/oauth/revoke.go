package oauth

import (
	"context"
	"errors"

	"github.com/curfew-id/curfew/provider/tokens"
	"github.com/curfew-id/curfew/storage"
)

// revoke revokes a token of the client that sends it (RFC 7009 §2.1): an access token alone, or a refresh token with
// the whole grant. A token that is unknown, expired or revoked is a success too (§2.2). token_type_hint is not
// needed, and a wrong one changes nothing.
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

// errOtherClientsToken: RFC 7009 §2.1 demands an error.
var errOtherClientsToken = invalidGrant("the token was issued to another client").About("token")

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
