package oauth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strings"

	"github.com/zitadel/oidc/v3/pkg/oidc"

	"github.com/curfew-id/curfew/provider/tokens"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
)

// exchangeCode redeems an authorization code (RFC 6749 §4.1.3, Core §3.1.3). A code reaches the store only from its
// client, for its redirect URI and with its PKCE verifier: no other client can use a code up or, by using it again,
// end the grant that it gave.
func (s *Server) exchangeCode(
	ctx context.Context,
	c *storage.Client,
	r *oidc.AccessTokenRequest,
) (response tokens.Response, err error) {
	now := s.Now()
	code, err := s.Minter.OpenCode(r.Code)
	switch {
	case err != nil:
		return response, invalidGrant("the code was not issued by this provider").About("code")
	case code.Client != c.ClientID:
		return response, invalidGrant("the code was issued to another client").About("code")
	case code.RedirectURIHash != storage.HashOf(r.RedirectURI):
		e := invalidGrant("redirect_uri is not the one of the authorization request").About("redirect_uri")
		e.Subject.Value = web.LoggableURI(r.RedirectURI)
		return response, e
	case !now.Before(code.Expires):
		return response, invalidGrant("the code has expired").About("code")
	}
	if err := checkVerifier(code.CodeChallenge, r.CodeVerifier); err != nil {
		return response, err
	}
	exchange := s.Minter.NewExchange(c, code, now)
	result, err := s.Store.Redeem(ctx, code.Record(), now, exchange.Issue)
	if err != nil {
		return response, err
	}
	if result.Reused {
		return response, s.revokeReusedCode(ctx, c, result.Grant)
	}
	user, err := s.loadUserIfNeeded(ctx, exchange.NeedsUser(), code.Subject)
	if err != nil {
		return response, err
	}
	return exchange.Respond(result, user)
}

// revokeReusedCode revokes what the first use of a code gave, since one of the two was a thief's (RFC 6749 §4.1.2).
func (s *Server) revokeReusedCode(ctx context.Context, c *storage.Client, g storage.Grant) error {
	if g.ID != "" {
		if err := s.endAfterReuse(ctx, c, storage.Selector{Grant: g.ID}, storage.ReasonCodeReuse); err != nil {
			return err
		}
	}
	return invalidGrant("the code was used before").About("code")
}

// checkVerifier compares the verifier with the challenge (RFC 7636 §4.6, S256). A verifier without a challenge is
// refused: somebody may have taken the challenge out of the authorization request (RFC 9700 §4.8.2).
func checkVerifier(challenge, verifier string) error {
	switch {
	case challenge == "" && verifier == "":
		return nil
	case challenge == "":
		return invalidGrant(
			"code_verifier was sent, but the authorization request had no code_challenge",
		).About("code_verifier")
	case verifier == "":
		return invalidGrant(
			"code_verifier is missing: the authorization request had a code_challenge",
		).About("code_verifier")
	case !verifierMatchesChallenge(challenge, verifier):
		return invalidGrant(
			"code_verifier does not match the code_challenge of the authorization request",
		).About("code_verifier")
	}
	return nil
}

func verifierMatchesChallenge(challenge, verifier string) bool {
	if len(verifier) < 43 || len(verifier) > 128 ||
		strings.ContainsFunc(verifier, func(r rune) bool { return !isUnreserved(r) }) { // RFC 7636 §4.1
		return false
	}
	sum := sha256.Sum256([]byte(verifier))
	return subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(challenge)) == 1
}

func isUnreserved(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-._~", r)
}

// loadUserIfNeeded reads the user whose claims an ID token carries; most ID tokens carry none.
func (s *Server) loadUserIfNeeded(ctx context.Context, needed bool, subject string) (*storage.User, error) {
	if !needed {
		return nil, nil
	}
	user, err := s.Store.User(ctx, subject)
	return &user, err
}
