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

// exchangeCode redeems an authorization code (RFC 6749 §4.1.3, Core §3.1.3). It checks client, redirect URI and PKCE
// before it uses the code. So another client can neither use the code, nor revoke its grant by using it a second time.
func (s *Server) exchangeCode(
	ctx context.Context,
	c *storage.Client,
	r *oidc.AccessTokenRequest,
	resources []string,
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
	if code.Scope, err = s.allowedToUser(ctx, code.Subject, code.Scope); err != nil {
		return response, err
	}
	exchange := s.Minter.NewExchange(c, code, now)
	if err := exchange.LimitTo(resources); err != nil {
		return response, err
	}
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

// revokeReusedCode revokes the grant of a code that was used twice, because one of the two uses may be a theft (RFC
// 6749 §4.1.2).
func (s *Server) revokeReusedCode(ctx context.Context, c *storage.Client, g storage.Grant) error {
	if g.ID != "" {
		if err := s.endAfterReuse(ctx, c, storage.Selector{Grant: g.ID}, storage.ReasonCodeReuse); err != nil {
			return err
		}
	}
	return invalidGrant("the code was used before").About("code")
}

// checkVerifier compares the verifier with the challenge (RFC 7636 §4.6, S256). It refuses a verifier without a
// challenge: an attacker may have removed the challenge from the authorization request (RFC 9700 §4.8.2).
func checkVerifier(challenge, verifier string) error {
	var problem string
	switch {
	case challenge == "" && verifier == "":
		return nil
	case challenge == "":
		problem = "code_verifier was sent, but the authorization request had no code_challenge"
	case verifier == "":
		problem = "code_verifier is missing: the authorization request had a code_challenge"
	case !verifierMatchesChallenge(challenge, verifier):
		problem = "code_verifier does not match the code_challenge of the authorization request"
	default:
		return nil
	}
	return invalidGrant(problem).About("code_verifier")
}

// Minimum and maximum length of a code_verifier (RFC 7636 §4.1).
const (
	minVerifierLength = 43
	maxVerifierLength = 128
)

// verifierMatchesChallenge reports whether the verifier is well formed and its S256 challenge equals challenge.
func verifierMatchesChallenge(challenge, verifier string) bool {
	if len(verifier) < minVerifierLength || len(verifier) > maxVerifierLength {
		return false
	}
	if strings.Trim(verifier, unreservedCharacters) != "" {
		return false
	}
	hash := sha256.Sum256([]byte(verifier))
	computed := base64.RawURLEncoding.EncodeToString(hash[:])
	return subtle.ConstantTimeCompare([]byte(computed), []byte(challenge)) == 1
}

// unreservedCharacters are the characters of a code_verifier (RFC 7636 §4.1).
const unreservedCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"

// loadUserIfNeeded returns the user for the claims of an ID token, or nil if the token contains none.
func (s *Server) loadUserIfNeeded(ctx context.Context, needed bool, subject string) (*storage.User, error) {
	if !needed {
		return nil, nil
	}
	user, err := s.Store.User(ctx, subject)
	return &user, err
}
