package oauth

import (
	"context"
	"strings"
	"time"

	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/tokens"
	"github.com/curfew-id/curfew/storage"
)

// refresh exchanges a refresh token for the next (RFC 6749 §6, RFC 9700 §4.14.2).
func (s *Server) refresh(
	ctx context.Context,
	c *storage.Client,
	token, scope string,
) (response tokens.Response, err error) {
	if !looksLikeToken(token, tokens.RefreshPrefix) {
		return response, invalidGrant("the refresh token was not issued by this provider").About("refresh_token")
	}
	now := s.Now()
	refresh := s.Minter.NewRefresh(c, token, strings.Fields(scope), now)
	result, err := s.Store.Refresh(
		ctx,
		storage.RefreshRequest{
			Token:    storage.HashOf(token),
			NewToken: storage.HashOf(refresh.NewToken()),
			Client:   c.ClientID,
			Grace:    s.Minter.Lifetimes.RefreshGrace,
		},
		now,
		refresh.Issue,
	)
	if err != nil {
		return response, err
	}
	if result.Reused && s.isLateRetry(c, result.Grant, now) {
		return response, invalidGrant(
			"the refresh token was exchanged before, and its successor too: use the newest",
		).About("refresh_token")
	}
	if result.Reused {
		return response, s.revokeReusedRefreshToken(ctx, c, result.Grant)
	}
	user, err := s.loadUserIfNeeded(ctx, refresh.NeedsUser(result.Grant), result.Grant.Subject)
	if err != nil {
		return response, err
	}
	return refresh.Respond(result, user)
}

// isLateRetry reports whether a refresh token older than the last one looks like a retry out of order, as of a third
// tab: the grant was refreshed within the grace, and the client proved itself. A public client proves nothing, so
// that its reuse counts as theft.
func (s *Server) isLateRetry(c *storage.Client, g storage.Grant, now time.Time) bool {
	sinceRotation := now.Sub(g.RotatedAt)
	return !c.IsPublic() && sinceRotation >= 0 && sinceRotation <= s.Minter.Lifetimes.RefreshGrace
}

// revokeReusedRefreshToken acts on a refresh token that was used twice: it may be stolen, and which of the two uses
// was the thief's is unknown. It ends the grant's client session, so that the user is asked again, or the whole
// session. An offline grant has no session.
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
	return invalidGrant(
		"the refresh token was used before, so the tokens that came of it were revoked",
	).About("refresh_token")
}

// endAfterReuse ends what a code or refresh token gave that was used twice.
func (s *Server) endAfterReuse(
	ctx context.Context,
	c *storage.Client,
	sel storage.Selector,
	reason storage.Reason,
) error {
	cause := storage.Cause{Reason: reason, By: "client:" + c.ClientID, Client: c.ClientID}
	_, err := s.Terminator.End(ctx, storage.EndRequest{Selector: sel, Cause: cause})
	return err
}

// looksLikeToken reports whether text has the prefix and the length of an opaque token of that kind.
func looksLikeToken(text, prefix string) bool {
	return strings.HasPrefix(text, prefix) && len(text) == len(prefix)+randomLength
}

// randomLength is the length of what keys.Random makes: 256 bits in base64url.
var randomLength = len(keys.Random(""))
