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

// SigningAlg returns the algorithm that signs all tokens of a client: its id_token_signed_response_alg, by default
// RS256 (Registration §2). For a client with alg none it is RS256 too, because only ID tokens may be unsecured.
func SigningAlg(c *storage.Client) string {
	switch c.IDTokenSignedResponseAlg {
	case "", algNone:
		return "RS256"
	}
	return c.IDTokenSignedResponseAlg
}

const algNone = "none"

// idToken holds the content of one ID token.
type idToken struct {
	client                    *storage.Client
	subject                   string // Minter.GrantedSubject
	authTime                  time.Time
	acr                       string
	amr                       []string
	sid                       string    // empty for a token of offline access
	sessionExpires            time.Time // the absolute expiry of the session; zero for a token of offline access
	nonce                     string
	accessToken               string         // the access token of the same response, for at_hash; empty: none
	code                      string         // the code of the same response, for c_hash; empty: none
	userClaims                map[string]any // claims about the user
	issuedAt                  time.Time
	fromAuthorizationEndpoint bool // such a token is always signed (Core §2)
}

// idTokenExpiry returns the times of an ID token that the trust horizon depends on.
func (m *Minter) idTokenExpiry(t idToken) storage.TokenExpiry {
	return storage.TokenExpiry{
		IDToken:       truncateToMillis(t.issuedAt.Add(m.Lifetimes.IDToken)),
		SessionExpiry: truncateToMillis(t.sessionExpiry()),
		LastIDToken:   truncateToMillis(t.issuedAt),
	}
}

// sessionExpiry returns the session_expiry claim for a client that registered to honour it, else the zero time.
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

// idTokenClaims are the claims of an ID token (Core §2). There is no azp, because the client is the only audience.
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

// signIDToken returns the ID token as a JWT. It is signed, or unsecured for a client with alg none.
func (m *Minter) signIDToken(t idToken) (string, error) {
	claims := idTokenClaims{
		Issuer:   m.Issuer,
		Subject:  t.subject,
		Audience: t.client.ClientID,
		Expires:  t.issuedAt.Add(m.Lifetimes.IDToken).Unix(),
		Issued:   t.issuedAt.Unix(),
		AuthTime: t.authTime.Unix(),
		ACR:      t.acr,
		AMR:      t.amr,
		Nonce:    t.nonce,
		SID:      t.sid,
	}
	if expiry := t.sessionExpiry(); !expiry.IsZero() {
		claims.SessionExpiry = expiry.Unix()
	}
	alg := SigningAlg(t.client)
	unsecured := t.client.IDTokenSignedResponseAlg == algNone && !t.fromAuthorizationEndpoint
	if !unsecured { // at_hash and c_hash use the hash function of the signing algorithm
		if t.accessToken != "" {
			claims.AccessHash = leftHalfHash(alg, t.accessToken)
		}
		if t.code != "" {
			claims.CodeHash = leftHalfHash(alg, t.code)
		}
	}
	payload, err := claims.withUserClaims(t.userClaims)
	if err != nil {
		return "", fmt.Errorf("encode ID token: %w", err)
	}
	if unsecured {
		return encodeUnsecured(payload)
	}
	text, err := m.Ring.Sign(alg, TypIDToken, payload)
	if err != nil {
		return "", fmt.Errorf("sign ID token: %w", err)
	}
	return text, nil
}

// withUserClaims returns the claims of the ID token together with claims about the user. If both have a name, the claim
// of the ID token stays.
func (c idTokenClaims) withUserClaims(userClaims map[string]any) (payload any, err error) {
	if len(userClaims) == 0 {
		return c, nil
	}
	tokenClaims, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	merged := maps.Clone(userClaims)
	if err := json.Unmarshal(tokenClaims, &merged); err != nil { // replaces only the keys in tokenClaims
		return nil, err
	}
	return merged, nil
}

// leftHalfHash returns at_hash or c_hash (Core §3.1.3.6, §3.3.2.11): the left half of the hash of value, with the
// hash function of alg.
func leftHalfHash(alg, value string) string {
	if alg == "EdDSA" { // Ed25519 uses SHA-512
		hash := sha512.Sum512([]byte(value))
		return base64.RawURLEncoding.EncodeToString(hash[:sha512.Size/2])
	}
	hash := sha256.Sum256([]byte(value))
	return base64.RawURLEncoding.EncodeToString(hash[:sha256.Size/2])
}

// encodeUnsecured returns an unsecured JWT (RFC 7515 appendix A.5).
func encodeUnsecured(claims any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("encode ID token: %w", err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"none"}`)) + "." + encode(payload) + ".", nil
}
