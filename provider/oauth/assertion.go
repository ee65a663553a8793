package oauth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/oauth/clientkeys"
	"github.com/curfew-id/curfew/provider/register"
	"github.com/curfew-id/curfew/provider/tokens"
	"github.com/curfew-id/curfew/storage"
)

const (
	// assertionSkew is the tolerated difference to a client's clock.
	assertionSkew = time.Minute
	// maxAssertionLifetime limits exp, because the replay cache keeps the jti until then.
	maxAssertionLifetime = time.Hour
	// maxAssertionBytes is the maximum length of an assertion.
	maxAssertionBytes = 8 << 10
)

// assertionClaims are the claims of a client assertion (Core §9, RFC 7523 §3).
type assertionClaims struct {
	Issuer    string          `json:"iss"`
	Subject   string          `json:"sub"`
	Audience  tokens.Audience `json:"aud"`
	ID        string          `json:"jti"`
	ExpiresAt float64         `json:"exp"`
	NotBefore float64         `json:"nbf"`
	IssuedAt  float64         `json:"iat"`
}

// authenticateAssertion verifies a client assertion (Core §9) and returns its client. It accepts each jti once.
func (s *Server) authenticateAssertion(ctx context.Context, creds credentials) (*storage.Client, error) {
	id, ok := unverifiedSubject(creds.assertion)
	namesOtherClient := creds.clientID != "" && creds.clientID != id
	if !ok || namesOtherClient {
		return nil, invalidClient("client_assertion is not a JWT that this client issued")
	}
	c, err := s.enabledClient(ctx, id)
	if err != nil {
		return nil, err
	}
	payload, err := s.verifyAssertion(ctx, c, creds.assertion)
	if err != nil {
		return nil, err
	}
	if !hasAssertionTyp(creds.assertion) {
		return nil, invalidClient("typ of client_assertion must be JWT or client-authentication+jwt, or be left out")
	}
	var claims assertionClaims
	if json.Unmarshal(payload, &claims) != nil {
		return nil, invalidClient("the claims of client_assertion cannot be read")
	}
	now := s.Now()
	expires, err := s.validateAssertion(claims, c, now)
	if err != nil {
		return nil, err
	}
	replayID := "assertion " + id + " " + storage.HashOf(claims.ID).String()
	usableUntil := expires.Add(assertionSkew)
	err = s.Store.MarkUsed(ctx, replayID, claims.earliestIssuedAt(expires), usableUntil, now)
	if errors.Is(err, storage.ErrAlreadyUsed) {
		return nil, invalidClient("client_assertion was used before: each needs a jti of its own")
	}
	return c, err
}

// verifyAssertion verifies the signature of an assertion with the keys of the client, and returns the payload.
func (s *Server) verifyAssertion(ctx context.Context, c *storage.Client, assertion string) (payload []byte, err error) {
	algs := allowedAssertionAlgs(c)
	if len(algs) == 0 {
		return nil, wrongAuthMethod(c)
	}
	verifier := clientkeys.Verifier{Fetch: s.Fetch, SelfFetch: s.SelfFetch, UnwrapSecret: s.Ring.UnwrapSecret}
	payload, err = verifier.Verify(ctx, c, assertion, algs)
	switch {
	case errors.Is(err, clientkeys.ErrUnavailable):
		e := newError(
			http.StatusServiceUnavailable,
			"server_error",
			"the jwks_uri of the client cannot be read just now; try again in a few seconds",
		)
		e.Reason = err.Error() // without Err: the client's server failed, not Curfew
		return nil, e
	case errors.Is(err, clientkeys.ErrSignature):
		e := invalidClient("the signature of client_assertion does not match the keys of the client")
		e.Err = err
		return nil, e
	}
	return payload, err
}

// earliestIssuedAt returns the earliest time at which the client can have made the assertion. iat is optional (RFC 7523
// §3).
func (c assertionClaims) earliestIssuedAt(expires time.Time) time.Time {
	if c.IssuedAt > 0 {
		return time.Unix(int64(c.IssuedAt), 0).Add(-assertionSkew)
	}
	return expires.Add(-maxAssertionLifetime - assertionSkew)
}

// allowedAssertionAlgs returns the algorithms that the client may use for assertions: its registered algorithm, or all
// of its authentication method.
func allowedAssertionAlgs(c *storage.Client) []string {
	var algs []string
	switch c.AuthMethod() {
	case "private_key_jwt":
		algs = register.ClientSigningAlgs()
	case "client_secret_jwt":
		algs = register.ClientMACAlgs()
	}
	if c.TokenEndpointAuthAlg == "" {
		return algs
	}
	return slices.DeleteFunc(algs, func(alg string) bool { return alg != c.TokenEndpointAuthAlg })
}

// validateAssertion checks the claims of a verified assertion and returns its expiry. The only audience must be the
// issuer or the URL of the token endpoint. The issuer is safer (RFC 7523bis), but Core §9 names the URL and libraries
// send it. A client may be restricted to the issuer.
func (s *Server) validateAssertion(
	c assertionClaims,
	client *storage.Client,
	now time.Time,
) (expires time.Time, err error) {
	clientID := client.ClientID
	audiences := []string{s.Issuer}
	if client.AssertionAudience != "issuer" {
		audiences = append(audiences, s.Issuer+tokenPath)
	}
	nowSeconds := float64(now.UnixMilli()) / 1000 // as exp, nbf and iat count
	skew := assertionSkew.Seconds()
	switch {
	case c.Issuer != clientID || c.Subject != clientID:
		return expires, invalidClient("iss and sub of client_assertion are not both the client_id")
	case len(c.Audience) != 1 || !slices.Contains(audiences, c.Audience[0]):
		return expires, invalidClient("aud of client_assertion must be the issuer and nothing else")
	case c.ID == "":
		return expires, invalidClient("client_assertion has no jti")
	case c.ExpiresAt <= nowSeconds-skew:
		return expires, invalidClient("client_assertion has expired, or has no exp")
	case c.ExpiresAt > nowSeconds+maxAssertionLifetime.Seconds()+skew:
		return expires, invalidClient("exp of client_assertion is more than an hour ahead")
	case c.NotBefore > nowSeconds+skew || c.IssuedAt > nowSeconds+skew:
		return expires, invalidClient("client_assertion is from the future: compare the clocks")
	}
	return time.Unix(int64(c.ExpiresAt)+1, 0), nil // rounded up
}

// hasAssertionTyp reports whether the typ header allows a client assertion, so that a JWT of another kind is not
// accepted as one (RFC 8725 §3.11).
func hasAssertionTyp(assertion string) bool {
	encoded, _, _ := strings.Cut(assertion, ".")
	raw, err := base64.RawURLEncoding.DecodeString(encoded)
	var header struct {
		Typ string `json:"typ"`
	}
	if err != nil || json.Unmarshal(raw, &header) != nil {
		return false
	}
	switch strings.ToLower(header.Typ) {
	case "", "jwt", "client-authentication+jwt":
		return true
	}
	return false
}

// unverifiedSubject returns the sub of an assertion whose signature is not verified yet. It selects the client whose
// keys verify the assertion. No other claim is used before that.
func unverifiedSubject(assertion string) (subject string, ok bool) {
	parts := strings.Split(assertion, ".")
	if len(assertion) > maxAssertionBytes || len(parts) != 3 || !keys.IsCompactJWS(assertion) {
		return "", false
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", false
	}
	var c struct {
		Subject string `json:"sub"`
	}
	if json.Unmarshal(payload, &c) != nil || c.Subject == "" {
		return "", false
	}
	return c.Subject, true
}
