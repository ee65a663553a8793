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
	// assertionSkew is how far a client's clock may be off.
	assertionSkew = time.Minute
	// maxAssertionLifetime is how far ahead an assertion may expire: its jti is kept that long.
	maxAssertionLifetime = time.Hour
	// maxAssertionBytes is how long an assertion may be, in bytes.
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

// authenticateAssertion holds a client assertion to Core §9. Its jti counts once.
func (s *Server) authenticateAssertion(ctx context.Context, creds credentials) (*storage.Client, error) {
	id, ok := unverifiedSubject(creds.assertion)
	if !ok || creds.clientID != "" && creds.clientID != id {
		return nil, invalidClient("client_assertion is not a JWT that this client issued")
	}
	c, err := s.enabledClient(ctx, id)
	if err != nil {
		return nil, err
	}
	algs := allowedAssertionAlgs(c)
	if len(algs) == 0 {
		return nil, wrongAuthMethod(c)
	}
	verifier := clientkeys.Verifier{Fetch: s.Fetch, UnwrapSecret: s.Ring.UnwrapSecret}
	payload, err := verifier.Verify(ctx, c, creds.assertion, algs)
	switch {
	case errors.Is(err, clientkeys.ErrUnavailable):
		e := newError(
			http.StatusServiceUnavailable,
			"server_error",
			"the jwks_uri of the client cannot be read just now; try again in a few seconds",
		)
		e.Reason = err.Error() // the client's failure and not ours
		return nil, e
	case errors.Is(err, clientkeys.ErrSignature):
		e := invalidClient("the signature of client_assertion does not match the keys of the client")
		e.Err = err
		return nil, e
	case err != nil:
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
	err = s.Store.MarkUsed(
		ctx,
		"assertion "+id+" "+storage.HashOf(claims.ID).String(),
		claims.earliestIssuedAt(expires),
		expires.Add(assertionSkew),
		now,
	)
	if errors.Is(err, storage.ErrAlreadyUsed) {
		return nil, invalidClient("client_assertion was used before: each needs a jti of its own")
	}
	return c, err
}

// earliestIssuedAt is when the assertion was made at the earliest. iat may be left out (RFC 7523 §3).
func (c assertionClaims) earliestIssuedAt(expires time.Time) time.Time {
	if c.IssuedAt > 0 {
		return time.Unix(int64(c.IssuedAt), 0).Add(-assertionSkew)
	}
	return expires.Add(-maxAssertionLifetime - assertionSkew)
}

// allowedAssertionAlgs are the algorithms in which a client may sign its assertions: one family for each method, one
// algorithm if it registered it.
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

// validateAssertion checks the claims of a verified assertion. Its one audience is the issuer or, because Core §9
// names it and libraries send it, the URL of the token endpoint; the issuer alone is safer (RFC 7523bis), and a
// client may be held to it.
func (s *Server) validateAssertion(
	c assertionClaims,
	client *storage.Client,
	now time.Time,
) (expires time.Time, err error) {
	clientID, audiences := client.ClientID, []string{s.Issuer, s.Issuer + tokenPath}
	if client.AssertionAudience == "issuer" {
		audiences = audiences[:1]
	}
	nowSeconds := float64(now.UnixMilli()) / 1000
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
	return time.Unix(int64(c.ExpiresAt)+1, 0), nil
}

// hasAssertionTyp reports whether the header's typ is one of an assertion, so that no JWT of another kind passes for
// one (RFC 8725 §3.11).
func hasAssertionTyp(assertion string) bool {
	encoded, _, _ := strings.Cut(assertion, ".")
	raw, err := base64.RawURLEncoding.DecodeString(encoded)
	var header struct {
		Typ string `json:"typ"`
	}
	if err != nil || json.Unmarshal(raw, &header) != nil {
		return false
	}
	return header.Typ == "" || strings.EqualFold(header.Typ, "JWT") ||
		strings.EqualFold(header.Typ, "client-authentication+jwt")
}

// unverifiedSubject reads whose keys an assertion has to be checked with; nothing else is believed before it was.
func unverifiedSubject(assertion string) (string, bool) {
	parts := strings.SplitN(assertion, ".", 4)
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
