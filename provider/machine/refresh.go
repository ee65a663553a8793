package machine

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

// refreshGrace is for how long a refresh token that was exchanged gives the same successor again: answers get lost, and two tabs refresh at once.
const refreshGrace = 10 * time.Second

// RefreshToken exchanges a refresh token for the next (RFC 6749 §6, RFC 9700 §4.14.2).
func (s *Server) RefreshToken(ctx context.Context, r *op.ClientRequest[oidc.RefreshTokenRequest]) (*op.Response, error) {
	c := r.Client.(client).record
	presented := r.Data.RefreshToken
	if !opaque(presented, tokens.RefreshPrefix) {
		return nil, invalidGrant("the refresh token is none of ours")
	}
	now := s.Now()
	renewal := s.Minter.Renewal(c, presented, strings.Fields(r.Form.Get("scope")), now)
	refreshed, err := s.Store.Refresh(ctx, storage.Refresh{Token: storage.HashOf(presented), Successor: storage.HashOf(renewal.Next()), Client: c.ClientID,
		Grace: refreshGrace}, now, renewal.Issue)
	if err != nil {
		return nil, refusal(err)
	}
	if refreshed.Reused {
		return nil, s.reused(ctx, c, refreshed.Grant)
	}
	user, err := s.userIf(ctx, renewal.WantsUser(refreshed.Grant), refreshed.Grant.Subject)
	if err != nil {
		return nil, refusal(err)
	}
	return respond(renewal.Answer(refreshed, user))
}

// reused acts on a refresh token that was used twice: somebody has stolen it, and nobody can say which use was the thief's. The family has ended; of
// the session ends the client's share, so that it asks the person again, or all of it. An offline grant is in no session.
func (s *Server) reused(ctx context.Context, c *storage.Client, g storage.Grant) error {
	if !g.Offline() {
		sel := storage.Selector{Sessions: []storage.SessionID{g.Session}}
		if !s.ReuseEndsSession {
			sel.Client = c.ClientID
		}
		cause := storage.Cause{Reason: storage.ReasonRefreshReuse, By: "client:" + c.ClientID, Client: c.ClientID}
		if _, err := s.Ender.End(ctx, sel, cause, storage.Change{}); err != nil {
			return refusal(err)
		}
	}
	return invalidGrant("the refresh token was used before: all that it led to has ended")
}

// opaque tells whether text has the form of an opaque token of that kind. What is shorter or longer by one character is no token.
func opaque(text, prefix string) bool {
	return strings.HasPrefix(text, prefix) && len(text) == len(prefix)+randomLength
}

// randomLength is the length of what keys.Random makes: 256 bits in base64url.
var randomLength = len(keys.Random(""))
