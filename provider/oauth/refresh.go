package oauth

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/tokens"
	"github.com/curfew-id/curfew/storage"
)

// refresh exchanges a refresh token for the next one (RFC 6749 §6, RFC 9700 §4.14.2).
func (s *Server) refresh(
	ctx context.Context,
	c *storage.Client,
	token string,
	form url.Values,
) (response tokens.Response, err error) {
	if !looksLikeToken(token, tokens.RefreshPrefix) {
		return response, invalidGrant("the refresh token was not issued by this provider").About("refresh_token")
	}
	now := s.Now()
	refresh := s.Minter.NewRefresh(c, token, strings.Fields(form.Get("scope")), now)
	refresh.Resources = form["resource"]
	if refresh.User, err = s.userOfRefreshToken(ctx, token, now); err != nil {
		return response, err
	}
	request := storage.RefreshRequest{
		Token:    storage.HashOf(token),
		NewToken: storage.HashOf(refresh.NewToken()),
		Client:   c.ClientID,
		Grace:    s.Minter.Lifetimes.RefreshGrace,
	}
	result, err := s.Store.Refresh(ctx, request, now, refresh.Issue)
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

// userOfRefreshToken returns the user of a refresh token if a group decides about its scope, else the zero User.
func (s *Server) userOfRefreshToken(ctx context.Context, token string, now time.Time) (storage.User, error) {
	if !s.Minter.APIScopes.HaveGroups() {
		return storage.User{}, nil
	}
	g, _, err := s.Store.GrantByRefresh(ctx, storage.HashOf(token), now)
	if errors.Is(err, storage.ErrNotFound) {
		return storage.User{}, nil // the refresh is refused
	}
	if err != nil || !s.Minter.APIScopes.NeedUser(g.Scope) {
		return storage.User{}, err
	}
	return s.Store.User(ctx, g.Subject)
}

// isLateRetry reports whether the reuse of a refresh token looks like a delayed retry, for example by a third browser
// tab: the grant was refreshed within the grace period, and the client is authenticated. The reuse by a public client,
// which is not authenticated, counts as theft.
func (s *Server) isLateRetry(c *storage.Client, g storage.Grant, now time.Time) bool {
	sinceRotation := now.Sub(g.RotatedAt)
	return !c.IsPublic() && sinceRotation >= 0 && sinceRotation <= s.Minter.Lifetimes.RefreshGrace
}

// revokeReusedRefreshToken handles a refresh token that was used twice. One of the two uses may be a theft, and Curfew
// cannot know which. It ends the client session of the grant, or the whole session if the policy says so. Offline
// access has no session, so only its grant ends.
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

// endAfterReuse ends the selected grant or session because its code or refresh token was used twice.
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

// looksLikeToken reports whether text has the prefix and the length of an opaque token of one kind.
func looksLikeToken(text, prefix string) bool {
	return strings.HasPrefix(text, prefix) && len(text) == len(prefix)+randomLength
}

// randomLength is the length of a result of keys.Random: 256 bits in base64url.
var randomLength = len(keys.Random())
