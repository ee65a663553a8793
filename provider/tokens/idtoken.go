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

// TypID is the typ of ID tokens.
const TypID = "JWT"

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
	client   *storage.Client
	subject  string // the person's own
	authTime time.Time
	acr      string
	amr      []string
	sid      string    // empty where it was issued without the session
	end      time.Time // the session's absolute end; zero without the session
	nonce    string
	access   string         // given beside it: at_hash
	code     string         // given beside it: c_hash
	claims   map[string]any // about the person
	at       time.Time
	front    bool // for the authorization endpoint, whose answers anybody can forge: never unsigned (Core §2)
}

// idTrust is what giving it out means for the trust horizon.
func (m *Minter) idTrust(t idToken) storage.Trust {
	return storage.Trust{IDToken: instant(t.at.Add(m.Lifetimes.IDToken)), Lease: instant(t.lease()), Issued: instant(t.at)}
}

// lease is the session_expiry claim: only for clients that registered that they honour it. Zero: none.
func (t idToken) lease() time.Time {
	if t.client.SessionExpiry <= 0 || t.end.IsZero() {
		return time.Time{}
	}
	lease := t.at.Add(time.Duration(t.client.SessionExpiry) * time.Second)
	if t.end.Before(lease) {
		return t.end
	}
	return lease
}

// idClaims are the claims of an ID token (Core §2). There is no azp: its audience is the one client.
type idClaims struct {
	Issuer     string   `json:"iss"`
	Subject    string   `json:"sub"`
	Audience   string   `json:"aud"`
	Expires    int64    `json:"exp"`
	Issued     int64    `json:"iat"`
	AuthTime   int64    `json:"auth_time"`
	ACR        string   `json:"acr"`
	AMR        []string `json:"amr,omitempty"`
	Nonce      string   `json:"nonce,omitempty"`
	SID        string   `json:"sid,omitempty"`
	Lease      int64    `json:"session_expiry,omitempty"`
	AccessHash string   `json:"at_hash,omitempty"`
	CodeHash   string   `json:"c_hash,omitempty"`
}

// signID writes an ID token.
func (m *Minter) signID(t idToken) (string, error) {
	c := idClaims{Issuer: m.Issuer, Subject: m.SubjectFor(t.subject, t.client), Audience: t.client.ClientID, Expires: t.at.Add(m.Lifetimes.IDToken).Unix(), Issued: t.at.Unix(),
		AuthTime: t.authTime.Unix(), ACR: t.acr, AMR: t.amr, Nonce: t.nonce, SID: t.sid}
	if lease := t.lease(); !lease.IsZero() {
		c.Lease = lease.Unix()
	}
	alg := SigningAlg(t.client)
	bare := t.client.IDTokenSignedResponseAlg == algNone && !t.front
	if t.access != "" && !bare { // alg none names no hash function
		c.AccessHash = halfHash(alg, t.access)
	}
	if t.code != "" && !bare {
		c.CodeHash = halfHash(alg, t.code)
	}
	claims, err := c.with(t.claims)
	if err != nil {
		return "", fmt.Errorf("encode ID token: %w", err)
	}
	if bare {
		return unsigned(claims)
	}
	text, err := m.Ring.Sign(alg, TypID, claims)
	if err != nil {
		return "", fmt.Errorf("sign ID token: %w", err)
	}
	return text, nil
}

// with adds claims about the person; those of the token itself prevail.
func (c idClaims) with(person map[string]any) (any, error) {
	if len(person) == 0 {
		return c, nil
	}
	own, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	all := maps.Clone(person)
	return all, json.Unmarshal(own, &all)
}

// halfHash is at_hash and c_hash (Core §3.1.3.6, §3.3.2.11): the left half of the hash that alg uses; Ed25519 uses SHA-512.
func halfHash(alg, value string) string {
	if alg == "EdDSA" {
		sum := sha512.Sum512([]byte(value))
		return base64.RawURLEncoding.EncodeToString(sum[:sha512.Size/2])
	}
	sum := sha256.Sum256([]byte(value))
	return base64.RawURLEncoding.EncodeToString(sum[:sha256.Size/2])
}

// unsigned writes an unsecured JWT (RFC 7515 appendix A.5).
func unsigned(claims any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("encode ID token: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + base64.RawURLEncoding.EncodeToString(payload) + ".", nil
}
