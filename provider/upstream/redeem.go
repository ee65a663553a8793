package upstream

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/storage"
)

// Account is an account of an upstream whose user has just signed in there.
type Account struct {
	storage.UpstreamSession
	Claims   map[string]any // of the ID token; Complete adds those of UserInfo
	ACR      string         // of the ID token
	AMR      []string       // of the ID token
	AuthTime time.Time      // of the ID token; zero if it has none

	accessToken string // for Complete; it is not stored
}

// RefusedError is the error of an authorization response that authenticates no user. Its text is for the log.
type RefusedError struct {
	Reason    string
	Cancelled bool // the upstream answered access_denied
	SignedOut bool // the upstream answered prompt=none by an error that says that the user must act (Core §3.1.2.6)
}

func (e *RefusedError) Error() string { return e.Reason }

// silentRefusals are the errors of a silent check after which the user is no longer signed in at the upstream, or may
// no longer use this client there without a new decision (Core §3.1.2.6, RFC 6749 §4.1.2.1).
var silentRefusals = []string{
	"login_required", "interaction_required", "account_selection_required", "consent_required", "access_denied",
}

// refused returns a RefusedError.
func refused(format string, args ...any) error {
	return &RefusedError{Reason: fmt.Sprintf(format, args...)}
}

// clockSkew is how far the clocks of Curfew and an upstream may differ.
const clockSkew = time.Minute

// Redeem checks an authorization response, exchanges its code and verifies the ID token. The error is a *RefusedError,
// or ErrUnavailable.
func (p *Provider) Redeem(ctx context.Context, flow Flow, response url.Values) (Account, error) {
	m, err := p.metadata(ctx)
	if err != nil {
		return Account{}, err
	}
	// RFC 9207 §2.4: the code of another issuer must not be sent to this one's token endpoint (mix-up attack).
	iss := response.Get("iss")
	mayBeMissing := iss == "" && !m.IssParameter
	if iss != p.Issuer && !mayBeMissing {
		return Account{}, refused("the response has iss %q, not %q (RFC 9207 §2.4)", iss, p.Issuer)
	}
	if code := response.Get("error"); code != "" {
		return Account{}, &RefusedError{
			Reason:    fmt.Sprintf("the upstream answered %.100q: %.200q", code, response.Get("error_description")),
			Cancelled: code == "access_denied",
			SignedOut: slices.Contains(silentRefusals, code),
		}
	}
	if response.Get("code") == "" {
		return Account{}, refused("the response has neither code nor error")
	}
	raw, accessToken, err := p.exchange(ctx, m, flow, response.Get("code"))
	if err != nil {
		return Account{}, err
	}
	token, err := p.verifier(m).Verify(ctx, raw)
	if err != nil {
		return Account{}, refused("the ID token is not valid: %v", err)
	}
	account, err := p.account(flow, token, raw)
	account.accessToken = accessToken
	return account, err
}

// exchange redeems the code and returns the ID token and the access token.
func (p *Provider) exchange(
	ctx context.Context,
	m metadata,
	flow Flow,
	code string,
) (idToken, accessToken string, err error) {
	config := oauth2.Config{
		ClientID:    p.ClientID,
		RedirectURL: p.url(CallbackPath),
		Endpoint:    oauth2.Endpoint{TokenURL: m.TokenEndpoint, AuthStyle: oauth2.AuthStyleInParams},
	}
	options := []oauth2.AuthCodeOption{oauth2.VerifierOption(flow.Verifier)}
	switch p.Auth {
	case "private_key_jwt":
		assertion, err := p.clientAssertion()
		if err != nil {
			return "", "", err
		}
		options = append(options,
			oauth2.SetAuthURLParam("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
			oauth2.SetAuthURLParam("client_assertion", assertion))
	case "client_secret_post":
		config.ClientSecret = p.Secret
	default:
		config.ClientSecret = p.Secret
		config.Endpoint.AuthStyle = oauth2.AuthStyleInHeader
	}
	ctx = context.WithValue(ctx, oauth2.HTTPClient, p.Egress.HTTPClient())
	token, err := config.Exchange(ctx, code, options...)
	if answer, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		return "", "", refused("the token endpoint answered %d %q: %.200q",
			answer.Response.StatusCode, answer.ErrorCode, answer.ErrorDescription)
	}
	if err != nil {
		return "", "", fmt.Errorf("%w: exchange the code at %s: %w", ErrUnavailable, p.ID, err)
	}
	idToken, _ = token.Extra("id_token").(string)
	if idToken == "" {
		return "", "", refused("the token endpoint gave no ID token; is openid among the scopes?")
	}
	return idToken, token.AccessToken, nil
}

// assertionLifetime is the lifetime of a client assertion.
const assertionLifetime = time.Minute

// clientAssertion returns the assertion of private_key_jwt (RFC 7523 §3). Curfew's own signing keys sign it, which the
// upstream finds at Curfew's jwks_uri. Its only audience is the issuer of the upstream.
func (p *Provider) clientAssertion() (string, error) {
	now := p.Now()
	alg := p.SigningAlg
	if alg == "" {
		alg = keys.RS256
	}
	return p.Keys.Sign(alg, "JWT", map[string]any{
		"iss": p.ClientID,
		"sub": p.ClientID,
		"aud": p.Issuer,
		"jti": keys.Random(),
		"iat": now.Unix(),
		"exp": now.Add(assertionLifetime).Unix(),
	})
}

// account checks the claims of a verified ID token (Core §3.1.3.7).
func (p *Provider) account(flow Flow, token *oidc.IDToken, raw string) (Account, error) {
	var claims struct {
		SID           string   `json:"sid"`
		AZP           string   `json:"azp"`
		ACR           string   `json:"acr"`
		AMR           []string `json:"amr"`
		AuthTime      float64  `json:"auth_time"`
		SessionExpiry float64  `json:"session_expiry"`
	}
	all := map[string]any{}
	if err := errors.Join(token.Claims(&claims), token.Claims(&all)); err != nil {
		return Account{}, refused("the claims of the ID token cannot be read: %v", err)
	}
	now := p.Now()
	authTime := unixTime(claims.AuthTime)
	sessionExpiry := unixTime(claims.SessionExpiry)
	hasValidSID := claims.SID == "" || isIdentifier(claims.SID)
	switch {
	case subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(flow.Nonce)) != 1:
		return Account{}, refused("the ID token has another nonce")
	case claims.AZP != "" && claims.AZP != p.ClientID:
		return Account{}, refused("the ID token is for another client (azp)")
	case !isIdentifier(token.Subject) || !hasValidSID:
		return Account{}, refused("sub or sid of the ID token is empty, too long or has control characters")
	case token.IssuedAt.After(now.Add(clockSkew)):
		return Account{}, refused("the ID token is from the future")
	case flow.Force && authTime.IsZero():
		return Account{}, refused("the ID token has no auth_time, although max_age was sent (Core §2)")
	case flow.Force && authTime.Before(time.UnixMilli(flow.Started).Add(-clockSkew)):
		return Account{}, refused("the user did not authenticate anew at the upstream")
	case !sessionExpiry.IsZero() && !now.Before(sessionExpiry):
		return Account{}, refused("the session at the upstream has expired")
	}
	wrapped, err := p.Keys.WrapIDToken(p.Issuer, token.Subject, []byte(raw))
	if err != nil {
		return Account{}, err
	}
	return Account{
		UpstreamSession: storage.UpstreamSession{
			Provider: p.ID,
			Issuer:   p.Issuer,
			Subject:  token.Subject,
			SID:      claims.SID,
			Expires:  sessionExpiry,
			Checked:  now.UTC().Truncate(time.Millisecond),
			IDToken:  wrapped,
		},
		Claims:   all,
		ACR:      claims.ACR,
		AMR:      claims.AMR,
		AuthTime: authTime,
	}, nil
}

// unixTime returns the time of a NumericDate (RFC 7519 §2), or the zero time for 0 and negative values.
func unixTime(seconds float64) time.Time {
	if seconds <= 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(seconds * 1000)).UTC()
}

// isIdentifier reports whether text can identify an account or a session: Core §2 limits a sub to 255 characters.
func isIdentifier(text string) bool {
	return text != "" && len(text) <= 255 && !strings.ContainsFunc(text, unicode.IsControl)
}
