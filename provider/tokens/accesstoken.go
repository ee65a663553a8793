package tokens

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/storage"
)

// TypAccessToken is the typ of JWT access tokens (RFC 9068 §2.1): no token of another kind passes for one.
const TypAccessToken = "at+jwt"

// AccessClaims are the claims of a JWT access token (RFC 9068 §2.2). sid is beyond it: a resource server that hears of ended sessions can drop
// tokens by it.
type AccessClaims struct {
	Issuer   string   `json:"iss"`
	Expires  int64    `json:"exp"`
	Audience Audience `json:"aud"`
	Subject  string   `json:"sub"`
	Client   string   `json:"client_id"`
	Issued   int64    `json:"iat"`
	ID       string   `json:"jti"`
	Scope    string   `json:"scope,omitempty"`
	AuthTime int64    `json:"auth_time,omitempty"`
	ACR      string   `json:"acr,omitempty"`
	AMR      []string `json:"amr,omitempty"`
	SID      string   `json:"sid,omitempty"`
}

// accessToken is one access token before it is written down.
type accessToken struct {
	client              *storage.Client
	grant               storage.Grant // zero for client_credentials
	sid                 string        // the membership it is given to; empty without the session
	scope               []string
	issuedAt, expiresAt time.Time
}

// record is how the store keeps an opaque one.
func (a accessToken) record(text string) storage.Token {
	return storage.Token{Hash: storage.HashOf(text), Grant: a.grant.ID, SID: a.sid, Client: a.client.ClientID, Subject: a.grant.Subject, Scope: a.scope,
		Audience: audience(a.client), Issued: truncateToMillis(a.issuedAt), Expires: truncateToMillis(a.expiresAt)}
}

// expiry is what giving it out means for the trust horizon.
func (a accessToken) expiry() storage.TokenExpiry {
	if a.client.UsesJWTAccessTokens() {
		return storage.TokenExpiry{JWT: truncateToMillis(a.expiresAt)}
	}
	return storage.TokenExpiry{Opaque: truncateToMillis(a.expiresAt)}
}

// signAccessToken writes a JWT access token. Its sub is the client itself where no person is involved (RFC 9068 §2.2).
func (m *Minter) signAccessToken(a accessToken) (string, error) {
	c := AccessClaims{Issuer: m.Issuer, Expires: a.expiresAt.Unix(), Audience: audience(a.client), Subject: a.client.ClientID, Client: a.client.ClientID, Issued: a.issuedAt.Unix(),
		ID: AccessTokenID{Grant: a.grant.ID, Issued: a.issuedAt}.String(), Scope: strings.Join(a.scope, " "), SID: a.sid}
	if a.grant.ID != "" {
		c.Subject = m.SubjectFor(a.grant.Subject, a.client)
		c.AuthTime, c.ACR, c.AMR = a.grant.AuthTime.Unix(), a.grant.ACR, a.grant.AMR
	}
	text, err := m.Ring.Sign(SigningAlg(a.client), TypAccessToken, c)
	if err != nil {
		return "", fmt.Errorf("sign access token: %w", err)
	}
	return text, nil
}

// AccessTokenID is what the jti of a JWT access token carries: its grant, so that our own endpoints can ask whether that lives, and when it was
// issued, to the millisecond: by iat alone, a token of a new sign-in could look older than a sign-out in the same second.
type AccessTokenID struct {
	Grant  string // empty for client_credentials
	Issued time.Time
}

// String is a jti: every call gives another.
func (a AccessTokenID) String() string {
	return a.Grant + "." + strconv.FormatInt(a.Issued.UnixMilli(), 36) + "." + keys.Random("")
}

// ParseAccessTokenID reads a jti.
func ParseAccessTokenID(jti string) (AccessTokenID, bool) {
	grant, rest, ok := strings.Cut(jti, ".")
	if !ok {
		return AccessTokenID{}, false
	}
	issuedAt, random, ok := strings.Cut(rest, ".")
	ms, err := strconv.ParseInt(issuedAt, 36, 64)
	if !ok || err != nil || random == "" {
		return AccessTokenID{}, false
	}
	return AccessTokenID{Grant: grant, Issued: time.UnixMilli(ms).UTC()}, true
}
