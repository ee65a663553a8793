package tokens

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// TypIDToken is the typ of ID tokens.
const TypIDToken = "JWT"

// SigningAlg is the algorithm of a client's tokens: that of its ID tokens, RS256 unless it registered another (Registration §2). What Curfew
// alone verifies is signed even where the client takes unsigned ID tokens.
func SigningAlg(c *storage.Client) string {
	switch c.IDTokenSignedResponseAlg {
	case "", algNone:
		return "RS256"
	}
	return c.IDTokenSignedResponseAlg
}

const algNone = "none"

// idToken is one ID token before it is signed.
type idToken struct {
	client                    *storage.Client
	subject                   string // the user's own
	authTime                  time.Time
	acr                       string
	amr                       []string
	sid                       string    // empty where it was issued without the session
	sessionExpires            time.Time // the session's absolute end; zero without the session
	nonce                     string
	accessToken               string         // given beside it: at_hash
	code                      string         // given beside it: c_hash
	userClaims                map[string]any // about the user
	issuedAt                  time.Time
	fromAuthorizationEndpoint bool // for the authorization endpoint, whose answers any website can forge: never unsigned (Core §2)
}

// idTokenExpiry is what giving it out means for the trust horizon.
func (m *Minter) idTokenExpiry(t idToken) storage.TokenExpiry {
	return storage.TokenExpiry{IDToken: truncateToMillis(t.issuedAt.Add(m.Lifetimes.IDToken)), SessionExpiry: truncateToMillis(t.sessionExpiry()), LastIDToken: truncateToMillis(t.issuedAt)}
}

// sessionExpiry is the session_expiry claim: only for clients that registered that they honour it. Zero: none.
func (t idToken) sessionExpiry() time.Time {
	if t.client.SessionExpiry <= 0 || t.sessionExpires.IsZero() {
		return time.Time{}
	}
	expiry := t.issuedAt.Add(time.Duration(t.client.SessionExpiry) * time.Second)
	if t.sessionExpires.Before(expiry) {
		return t.sessionExpires
	}
	return expiry
}

// idTokenClaims are the claims of an ID token (Core §2). There is no azp: its audience is the one client.
type idTokenClaims struct {
	Issuer        string   `json:"iss"`
	Subject       string   `json:"sub"`
	Audience      string   `json:"aud"`
	Expires       int64    `json:"exp"`
	Issued        int64    `json:"iat"`
	AuthTime      int64    `json:"auth_time"`
	ACR           string   `json:"acr"`
	AMR           []string `json:"amr,omitempty"`
	Nonce         string   `json:"nonce,omitempty"`
	SID           string   `json:"sid,omitempty"`
	SessionExpiry int64    `json:"session_expiry,omitempty"`
	AccessHash    string   `json:"at_hash,omitempty"`
	CodeHash      string   `json:"c_hash,omitempty"`
}

// signIDToken writes an ID token.
func (m *Minter) signIDToken(t idToken) (string, error) {
	c := idTokenClaims{Issuer: m.Issuer, Subject: m.SubjectFor(t.subject, t.client), Audience: t.client.ClientID, Expires: t.issuedAt.Add(m.Lifetimes.IDToken).Unix(), Issued: t.issuedAt.Unix(),
		AuthTime: t.authTime.Unix(), ACR: t.acr, AMR: t.amr, Nonce: t.nonce, SID: t.sid}
	if expiry := t.sessionExpiry(); !expiry.IsZero() {
		c.SessionExpiry = expiry.Unix()
	}
	alg := SigningAlg(t.client)
	unsecured := t.client.IDTokenSignedResponseAlg == algNone && !t.fromAuthorizationEndpoint
	if t.accessToken != "" && !unsecured { // alg none names no hash function
		c.AccessHash = leftHalfHash(alg, t.accessToken)
	}
	if t.code != "" && !unsecured {
		c.CodeHash = leftHalfHash(alg, t.code)
	}
	claims, err := c.withUserClaims(t.userClaims)
	if err != nil {
		return "", fmt.Errorf("encode ID token: %w", err)
	}
	if unsecured {
		return encodeUnsecured(claims)
	}
	text, err := m.Ring.Sign(alg, TypIDToken, claims)
	if err != nil {
		return "", fmt.Errorf("sign ID token: %w", err)
	}
	return text, nil
}

// withUserClaims adds claims about the user; those of the token itself prevail.
func (c idTokenClaims) withUserClaims(userClaims map[string]any) (any, error) {
	if len(userClaims) == 0 {
		return c, nil
	}
	tokenClaims, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	all := maps.Clone(userClaims)
	return all, json.Unmarshal(tokenClaims, &all)
}

// leftHalfHash is at_hash and c_hash (Core §3.1.3.6, §3.3.2.11): the left half of the hash that alg uses; Ed25519 uses SHA-512.
func leftHalfHash(alg, value string) string {
	if alg == "EdDSA" {
		sum := sha512.Sum512([]byte(value))
		return base64.RawURLEncoding.EncodeToString(sum[:sha512.Size/2])
	}
	sum := sha256.Sum256([]byte(value))
	return base64.RawURLEncoding.EncodeToString(sum[:sha256.Size/2])
}

// encodeUnsecured writes an unsecured JWT (RFC 7515 appendix A.5).
func encodeUnsecured(claims any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("encode ID token: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + base64.RawURLEncoding.EncodeToString(payload) + ".", nil
}
