package oauth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strings"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/curfew-id/curfew/provider/tokens"
	"github.com/curfew-id/curfew/storage"
)

// CodeExchange redeems an authorization code (RFC 6749 §4.1.3, Core §3.1.3). Only what is its client's, for its redirect URI and with its PKCE
// verifier, reaches the store: nobody else can use a code up or, by using it again, end the grant it gave.
func (s *Server) CodeExchange(ctx context.Context, r *op.ClientRequest[oidc.AccessTokenRequest]) (*op.Response, error) {
	c := r.Client.(opClient).record
	now := s.Now()
	code, err := s.Minter.OpenCode(r.Data.Code)
	switch {
	case err != nil:
		return nil, invalidGrant("the code is none of ours")
	case code.Client != c.ClientID:
		return nil, invalidGrant("the code was issued to another client")
	case code.RedirectURIHash != storage.HashOf(r.Data.RedirectURI):
		return nil, invalidGrant("redirect_uri is not the one of the authorization request")
	case !verifierMatchesChallenge(code.CodeChallenge, r.Data.CodeVerifier):
		return nil, invalidGrant("code_verifier does not fit the code_challenge of the authorization request")
	case !now.Before(code.Expires):
		return nil, invalidGrant("the code has expired")
	}
	exchange := s.Minter.NewExchange(c, code, now)
	result, err := s.Store.Redeem(ctx, code.Record(), now, exchange.Issue)
	if err != nil {
		return nil, toOAuthError(err)
	}
	if result.Reused {
		return nil, s.revokeReusedCode(ctx, c, result.Grant)
	}
	user, err := s.loadUserIfNeeded(ctx, exchange.NeedsUser(), code.Subject)
	if err != nil {
		return nil, toOAuthError(err)
	}
	return newTokenResponse(exchange.Respond(result, user))
}

// revokeReusedCode revokes what the first use of a code gave, since one of the two was a thief's (RFC 6749 §4.1.2).
func (s *Server) revokeReusedCode(ctx context.Context, c *storage.Client, g storage.Grant) error {
	if g.ID != "" {
		if err := s.endAfterReuse(ctx, c, storage.Selector{Grant: g.ID}, storage.ReasonCodeReuse); err != nil {
			return err
		}
	}
	return invalidGrant("the code was used before")
}

// verifierMatchesChallenge holds the verifier to the challenge (RFC 7636 §4.6, S256). A challenge without a verifier is refused, and so is a verifier without a
// challenge: somebody took it out of the authorization request (RFC 9700 §4.8.2).
func verifierMatchesChallenge(challenge, verifier string) bool {
	if challenge == "" || verifier == "" {
		return challenge == verifier
	}
	if len(verifier) < 43 || len(verifier) > 128 || strings.ContainsFunc(verifier, func(r rune) bool { return !isUnreserved(r) }) { // RFC 7636 §4.1
		return false
	}
	sum := sha256.Sum256([]byte(verifier))
	return subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(challenge)) == 1
}

func isUnreserved(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-._~", r)
}

// loadUserIfNeeded reads the person whose claims an ID token carries; mostly it carries none.
func (s *Server) loadUserIfNeeded(ctx context.Context, needed bool, subject string) (*storage.User, error) {
	if !needed {
		return nil, nil
	}
	user, err := s.Store.User(ctx, subject)
	return &user, err
}

// newTokenResponse is what ends every successful token request. An answer that could not be signed leaves a grant that nobody holds: the code or refresh
// token is spent, and trying again shows that.
func newTokenResponse(response tokens.Response, err error) (*op.Response, error) {
	if err != nil {
		return nil, toOAuthError(err)
	}
	return op.NewResponse(response), nil
}
