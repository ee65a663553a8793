package keys

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// ErrInvalidToken: the text is no token of the kind asked for, of ours, that still counts. The text of the error says
// why, for logs.
var ErrInvalidToken = errors.New("not such a token of this issuer")

// maxTokenBytes bounds what is parsed before anything is known about it, in bytes.
const maxTokenBytes = 16 << 10

// signatureAlgorithms are the algorithms that a token of ours may name; that of its key decides in the end.
var signatureAlgorithms = []jose.SignatureAlgorithm{jose.RS256, jose.PS256, jose.ES256, jose.EdDSA}

// Hint is what an ID token that came back says. It may have expired long ago.
type Hint struct {
	Client   string // whom it was issued to
	Subject  string // as that client knows the user
	SID      string // empty if it has none
	Issued   time.Time
	Expires  time.Time
	AuthTime time.Time // zero if it has none
}

// claims are those of all our tokens that a decision rests on.
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

// VerifyHint reads an id_token_hint: an ID token that we issued. Neither its expiry nor that of its key's publication
// matters (OpenID Connect RP-Initiated Logout 1.0 §2). Access tokens and logout tokens are no hints. ErrToken.
func (r *Ring) VerifyHint(token string) (Hint, error) {
	c, _, err := r.verify(token, true, "JWT")
	if err != nil {
		return Hint{}, err
	}
	// A logout token can have typ JWT, but it always has events (Back-Channel Logout 1.0 §2.4); an access token can,
	// but it always has client_id (RFC 9068 §2.2). No other token of ours with that typ has all of these (Core §2).
	if c.Events != nil || c.Client != "" || c.Subject == "" || c.Expiry == nil || c.IssuedAt == nil ||
		len(c.Audience) == 0 {
		return Hint{}, invalidToken("no ID token")
	}
	client := c.AZP
	if client == "" {
		client = c.Audience[0]
	}
	if !slices.Contains(c.Audience, client) {
		return Hint{}, invalidToken("azp is not in aud")
	}
	return Hint{client, c.Subject, c.SID, c.IssuedAt.Time(), c.Expiry.Time(), c.AuthTime.Time()}, nil
}

// AccessToken is what a JWT access token says (RFC 9068).
type AccessToken struct {
	ID       string // jti
	Subject  string
	Client   string
	Audience []string
	Scope    []string
	SID      string
	Issued   time.Time
	Expires  time.Time
	Claims   json.RawMessage // all of them
}

// VerifyAccessToken reads a JWT access token of ours that has not expired at that moment. Whether its grant still
// counts is the store's to say. ErrToken.
func (r *Ring) VerifyAccessToken(token string, at time.Time) (AccessToken, error) {
	c, payload, err := r.verify(token, false, "at+jwt", "JWT")
	if err != nil {
		return AccessToken{}, err
	}
	// Among tokens with typ JWT, only access tokens have client_id.
	if c.Events != nil || c.Subject == "" || c.Client == "" || c.ID == "" || c.Expiry == nil || c.IssuedAt == nil ||
		len(c.Audience) == 0 {
		return AccessToken{}, invalidToken("no access token")
	}
	if !at.Before(c.Expiry.Time()) {
		return AccessToken{}, invalidToken("expired")
	}
	return AccessToken{
		c.ID,
		c.Subject,
		c.Client,
		c.Audience,
		strings.Fields(c.Scope),
		c.SID,
		c.IssuedAt.Time(),
		c.Expiry.Time(),
		payload,
	}, nil
}

// verify checks signature, typ and issuer. The callers check the claims that distinguish the kinds of tokens with typ
// JWT.
func (r *Ring) verify(token string, allowArchived bool, typs ...string) (claims, []byte, error) {
	var c claims
	if len(token) > maxTokenBytes {
		return c, nil, invalidToken("too long")
	}
	jws, err := jose.ParseSignedCompact(token, signatureAlgorithms)
	if err != nil || !IsCompactJWS(token) {
		return c, nil, invalidToken("no JWT")
	}
	header := jws.Signatures[0].Protected
	s := r.current.Load()
	k := s.verificationKeys[header.KeyID]
	if k == nil || !allowArchived && s.archived[header.KeyID] {
		return c, nil, invalidToken("unknown kid")
	}
	if header.Algorithm != k.record.Alg {
		return c, nil, invalidToken("alg is not that of the key")
	}
	typ, _ := header.ExtraHeaders[jose.HeaderType].(string)
	if !slices.Contains(typs, typ) {
		return c, nil, invalidToken("typ")
	}
	payload, err := jws.Verify(&k.public)
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

// IsCompactJWS reports whether text has only the characters of a JWS in compact form (RFC 7515 §3.1). Decoders of
// base64 skip line breaks, so that one token would have many texts.
func IsCompactJWS(text string) bool {
	for _, r := range text {
		isBase64URL := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_'
		if !isBase64URL && r != '.' {
			return false
		}
	}
	return text != ""
}

func invalidToken(reason string) error { return fmt.Errorf("%w: %s", ErrInvalidToken, reason) }
