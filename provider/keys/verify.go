package keys

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// ErrInvalidToken means that the text is not a valid token of the expected kind from this issuer. The text of the error
// has the reason, for logs.
var ErrInvalidToken = errors.New("not such a token of this issuer")

// maxTokenBytes limits a token, in bytes. Longer texts are not parsed.
const maxTokenBytes = 16 << 10

// signatureAlgorithms are the algorithms that the parser accepts. verify also requires the algorithm of the key.
var signatureAlgorithms = []jose.SignatureAlgorithm{jose.RS256, jose.PS256, jose.ES256, jose.EdDSA}

// Hint has the claims of an ID token that a client sent as id_token_hint. The ID token may have expired.
type Hint struct {
	Client   string // the client that the ID token was issued to
	Subject  string // the sub for that client
	SID      string // empty if the ID token has no sid
	Issued   time.Time
	Expires  time.Time
	AuthTime time.Time // zero if the ID token has no auth_time
}

// claims has the claims that the checks of all kinds of tokens use.
type claims struct {
	Issuer   string           `json:"iss"`
	Subject  string           `json:"sub"`
	Audience jwt.Audience     `json:"aud"`
	AZP      string           `json:"azp"`
	Client   string           `json:"client_id"`
	ID       string           `json:"jti"`
	Scope    string           `json:"scope"`
	SID      string           `json:"sid"`
	Expiry   *jwt.NumericDate `json:"exp"`
	IssuedAt *jwt.NumericDate `json:"iat"`
	AuthTime *jwt.NumericDate `json:"auth_time"`
	Events   json.RawMessage  `json:"events"`
}

// VerifyHint verifies an id_token_hint: an ID token of this issuer. The ID token may have expired, and its key need not
// be published any more (OpenID Connect RP-Initiated Logout 1.0 §2). For any other text, also for an access token or a
// logout token, the error is ErrInvalidToken.
func (r *Ring) VerifyHint(token string) (Hint, error) {
	const allowArchived = true
	c, _, err := r.verify(token, r.current.Load(), allowArchived, "JWT")
	if err != nil {
		return Hint{}, err
	}
	// Logout tokens and access tokens can have the typ JWT too. But a logout token always has events (Back-Channel
	// Logout 1.0 §2.4), an access token always has client_id (RFC 9068 §2.2), and an ID token has neither.
	isOtherKind := c.Events != nil || c.Client != ""
	if isOtherKind || !c.haveRequired() {
		return Hint{}, invalidToken("no ID token")
	}
	client := c.AZP
	if client == "" {
		client = c.Audience[0]
	}
	if !slices.Contains(c.Audience, client) {
		return Hint{}, invalidToken("azp is not in aud")
	}
	return Hint{
		Client:   client,
		Subject:  c.Subject,
		SID:      c.SID,
		Issued:   c.IssuedAt.Time(),
		Expires:  c.Expiry.Time(),
		AuthTime: c.AuthTime.Time(),
	}, nil
}

// haveRequired reports whether the claims contain those that every ID token and access token has (Core §2, RFC 9068
// §2.2).
func (c *claims) haveRequired() bool {
	return c.Subject != "" && c.Expiry != nil && c.IssuedAt != nil && len(c.Audience) > 0
}

// AccessToken has the claims of a JWT access token (RFC 9068).
type AccessToken struct {
	ID       string // jti
	Subject  string
	Client   string
	Audience []string
	Scope    []string
	SID      string
	Issued   time.Time
	Expires  time.Time
	Claims   json.RawMessage // all claims; must not be changed, because the cache has the same bytes
}

// VerifyAccessToken verifies a JWT access token of this issuer that has not expired at this time. For any other text
// the error is ErrInvalidToken. Only the store knows whether the token or its grant was revoked.
func (r *Ring) VerifyAccessToken(token string, at time.Time) (AccessToken, error) {
	keys := r.current.Load()
	verified, isCached := r.verified.find(token, keys)
	if !isCached {
		var err error
		verified, err = r.verifyAccessToken(token, keys)
		if err != nil {
			return AccessToken{}, err
		}
		r.verified.add(token, verified, keys)
	}
	if !at.Before(verified.Expires) {
		return AccessToken{}, invalidToken("expired")
	}
	return verified, nil
}

// verifyAccessToken verifies a JWT access token, but not its expiry.
func (r *Ring) verifyAccessToken(token string, keys *snapshot) (AccessToken, error) {
	const allowArchived = false
	c, payload, err := r.verify(token, keys, allowArchived, "at+jwt", "JWT")
	if err != nil {
		return AccessToken{}, err
	}
	// Only access tokens have client_id (see VerifyHint).
	isAccessToken := c.Events == nil && c.Client != "" && c.ID != ""
	if !isAccessToken || !c.haveRequired() {
		return AccessToken{}, invalidToken("no access token")
	}
	return AccessToken{
		ID:       c.ID,
		Subject:  c.Subject,
		Client:   c.Client,
		Audience: c.Audience,
		Scope:    strings.Fields(c.Scope),
		SID:      c.SID,
		Issued:   c.IssuedAt.Time(),
		Expires:  c.Expiry.Time(),
		Claims:   payload,
	}, nil
}

// verify checks signature, typ and issuer, and returns the claims. payload has all claims as JSON. Callers must find
// out the kind of the token from its claims, because several kinds can have the typ JWT.
func (r *Ring) verify(
	token string,
	keys *snapshot,
	allowArchived bool,
	typs ...string,
) (c claims, payload []byte, err error) {
	if len(token) > maxTokenBytes {
		return c, nil, invalidToken("too long")
	}
	jws, err := jose.ParseSignedCompact(token, signatureAlgorithms)
	if err != nil || !IsCompactJWS(token) {
		return c, nil, invalidToken("no JWT")
	}
	header := jws.Signatures[0].Protected
	k := keys.verificationKeys[header.KeyID]
	refusedArchived := keys.archived[header.KeyID] && !allowArchived
	if k == nil || refusedArchived {
		return c, nil, invalidToken("unknown kid")
	}
	if header.Algorithm != k.record.Alg {
		return c, nil, invalidToken("alg is not that of the key")
	}
	typ, _ := header.ExtraHeaders[jose.HeaderType].(string)
	if !slices.Contains(typs, typ) {
		return c, nil, invalidToken("typ")
	}
	payload, err = jws.Verify(&k.public)
	if err != nil {
		return c, nil, invalidToken("signature")
	}
	if err := json.Unmarshal(payload, &c); err != nil {
		return c, nil, invalidToken("claims")
	}
	if c.Issuer != r.cfg.Issuer {
		return c, nil, invalidToken("iss")
	}
	return c, payload, nil
}

// compactJWSPattern matches texts of the characters that a JWS in compact form has: base64url and dots (RFC 7515 §3.1).
var compactJWSPattern = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)

// IsCompactJWS reports whether text has only the characters of a JWS in compact form. Decoders of base64 skip line
// breaks; without this check, one token could be sent as many different texts.
func IsCompactJWS(text string) bool { return compactJWSPattern.MatchString(text) }

func invalidToken(reason string) error { return fmt.Errorf("%w: %s", ErrInvalidToken, reason) }
