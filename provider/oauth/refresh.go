package oauth

import (
	"context"
	"strings"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/tokens"
	"github.com/curfew-id/curfew/storage"
)

// refreshGracePeriod is for how long a refresh token that was exchanged gives the same successor again: answers get lost, and two tabs refresh at once.
const refreshGracePeriod = 10 * time.Second

// RefreshToken exchanges a refresh token for the next (RFC 6749 §6, RFC 9700 §4.14.2).
func (s *Server) RefreshToken(ctx context.Context, r *op.ClientRequest[oidc.RefreshTokenRequest]) (*op.Response, error) {
	c := r.Client.(opClient).record
	token := r.Data.RefreshToken
	if !looksLikeToken(token, tokens.RefreshPrefix) {
		return nil, invalidGrant("the refresh token is none of ours")
	}
	now := s.Now()
	refresh := s.Minter.NewRefresh(c, token, strings.Fields(r.Form.Get("scope")), now)
	result, err := s.Store.Refresh(ctx, storage.RefreshRequest{Token: storage.HashOf(token), NewToken: storage.HashOf(refresh.NewToken()), Client: c.ClientID,
		Grace: refreshGracePeriod}, now, refresh.Issue)
	if err != nil {
		return nil, toOAuthError(err)
	}
	if result.Reused {
		return nil, s.revokeReusedRefreshToken(ctx, c, result.Grant)
	}
	user, err := s.loadUserIfNeeded(ctx, refresh.NeedsUser(result.Grant), result.Grant.Subject)
	if err != nil {
		return nil, toOAuthError(err)
	}
	return newTokenResponse(refresh.Respond(result, user))
}

// revokeReusedRefreshToken acts on a refresh token that was used twice: somebody has stolen it, and nobody can say which use was the thief's. With the family
// ends the client's share of the session, so that it asks the person again, or all of the session. An offline grant is in no session.
func (s *Server) revokeReusedRefreshToken(ctx context.Context, c *storage.Client, g storage.Grant) error {
	sel := storage.Selector{Sessions: []storage.SessionID{g.Session}}
	switch {
	case g.Offline():
		sel = storage.Selector{Grant: g.ID}
	case !s.Policy.RefreshReuseEndsSession():
		sel.Client = c.ClientID
	}
	if err := s.endAfterReuse(ctx, c, sel, storage.ReasonRefreshReuse); err != nil {
		return err
	}
	return invalidGrant("the refresh token was used before: all that it led to has ended")
}

// endAfterReuse ends what something one-time gave that was used twice. Whoever sent it does not stop that by hanging up.
func (s *Server) endAfterReuse(ctx context.Context, c *storage.Client, sel storage.Selector, reason storage.Reason) error {
	cause := storage.Cause{Reason: reason, By: "client:" + c.ClientID, Client: c.ClientID}
	if _, err := s.Terminator.End(ctx, storage.EndRequest{Selector: sel, Cause: cause}); err != nil {
		return toOAuthError(err)
	}
	return nil
}

// looksLikeToken tells whether text has the form of an opaque token of that kind. What is shorter or longer by one character is no token.
func looksLikeToken(text, prefix string) bool {
	return strings.HasPrefix(text, prefix) && len(text) == len(prefix)+randomLength
}

// randomLength is the length of what keys.Random makes: 256 bits in base64url.
var randomLength = len(keys.Random(""))
