package tokens

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
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

// signID writes an ID token (Core §2). There is no azp: its audience is the one client.
func (m *Minter) signID(t idToken) (string, error) {
	c := make(map[string]any, 16+len(t.claims))
	for name, v := range t.claims {
		c[name] = v
	}
	c["iss"] = m.Issuer
	c["sub"] = m.SubjectFor(t.subject, t.client)
	c["aud"] = t.client.ClientID
	c["exp"] = t.at.Add(m.Lifetimes.IDToken).Unix()
	c["iat"] = t.at.Unix()
	c["auth_time"] = t.authTime.Unix()
	c["acr"] = t.acr
	if len(t.amr) > 0 {
		c["amr"] = t.amr
	}
	if t.nonce != "" {
		c["nonce"] = t.nonce
	}
	if t.sid != "" {
		c["sid"] = t.sid
	}
	if lease := t.lease(); !lease.IsZero() {
		c["session_expiry"] = lease.Unix()
	}
	if t.client.IDTokenSignedResponseAlg == algNone && !t.front {
		return unsigned(c)
	}
	alg := SigningAlg(t.client)
	if t.access != "" {
		c["at_hash"] = halfHash(alg, t.access)
	}
	if t.code != "" {
		c["c_hash"] = halfHash(alg, t.code)
	}
	text, err := m.Ring.Sign(alg, TypID, c)
	if err != nil {
		return "", fmt.Errorf("sign ID token: %w", err)
	}
	return text, nil
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

// unsigned writes an unsecured JWT (RFC 7515 appendix A.5). There are no hashes in it: alg none names no hash function.
func unsigned(claims map[string]any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("encode ID token: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + base64.RawURLEncoding.EncodeToString(payload) + ".", nil
}
