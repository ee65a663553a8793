package tokens

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/storage"
)

// TypAccessToken is the typ of JWT access tokens (RFC 9068 §2.1) unless the client registered another in
// access_token_typ.
const TypAccessToken = "at+jwt"

// AccessClaims are the claims of a JWT access token (RFC 9068 §2.2). sid is an addition: a resource server that is
// notified of ended sessions can reject tokens by their sid.
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

// accessToken holds the content of one access token.
type accessToken struct {
	client    *storage.Client
	grant     storage.Grant // zero for client_credentials
	sid       string        // of the client session; empty if the token belongs to no session
	scope     []string
	sequence  storage.Sequence // client_credentials only: the store's sequence, read before the client
	issuedAt  time.Time
	expiresAt time.Time
	user      *storage.User // for claims about the user; nil: none
}

// record returns the store's record of an opaque token. text is the token as the client gets it.
func (m *Minter) record(a accessToken, text string) storage.Token {
	return storage.Token{
		Hash:     storage.HashOf(text),
		Sequence: a.sequence,
		Grant:    a.grant.ID,
		SID:      a.sid,
		Client:   a.client.ClientID,
		Subject:  a.grant.Subject,
		Scope:    a.scope,
		Audience: m.audience(a.client, a.scope),
		Issued:   truncateToMillis(a.issuedAt),
		Expires:  truncateToMillis(a.expiresAt),
	}
}

// expiry returns the token's expiry for the trust horizon.
func (a accessToken) expiry() storage.TokenExpiry {
	if a.client.UsesJWTAccessTokens() {
		return storage.TokenExpiry{JWT: truncateToMillis(a.expiresAt)}
	}
	return storage.TokenExpiry{Opaque: truncateToMillis(a.expiresAt)}
}

// signAccessToken returns a JWT access token. Without a user, its sub is the client (RFC 9068 §2.2).
func (m *Minter) signAccessToken(a accessToken) (string, error) {
	claims := AccessClaims{
		// These are the claims of a client-credentials token. For a user's token, some are replaced below.
		Issuer:   m.Issuer,
		Expires:  a.expiresAt.Unix(),
		Audience: m.jwtAudience(a.client, a.scope),
		Subject:  a.client.ClientID,
		Client:   a.client.ClientID,
		Issued:   a.issuedAt.Unix(),
		ID: AccessTokenID{
			Grant:    a.grant.ID,
			Sequence: a.sequence,
			Issued:   a.issuedAt,
		}.String(),
		Scope: strings.Join(a.scope, " "),
		SID:   a.sid,
	}
	if a.grant.ID != "" {
		claims.Subject = m.GrantedSubject(a.grant, a.client)
		claims.AuthTime = a.grant.AuthTime.Unix()
		claims.ACR = a.grant.ACR
		claims.AMR = a.grant.AMR
	}
	allClaims, err := a.withUserClaims(claims)
	if err != nil {
		return "", fmt.Errorf("encode access token: %w", err)
	}
	text, err := m.Ring.Sign(SigningAlg(a.client), cmp.Or(a.client.AccessTokenTyp, TypAccessToken), allClaims)
	if err != nil {
		return "", fmt.Errorf("sign access token: %w", err)
	}
	return text, nil
}

// withUserClaims adds the claims of the client's access_token_claims. A claim of the token itself replaces one with the
// same name.
func (a accessToken) withUserClaims(c AccessClaims) (any, error) {
	if a.user == nil || len(a.client.AccessTokenClaims) == 0 {
		return c, nil
	}
	tokenClaims, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	all := map[string]any{}
	addRuleClaims(all, a.client.AccessTokenClaims, a.user, a.scope)
	return all, json.Unmarshal(tokenClaims, &all) // replaces only the keys in tokenClaims
}

// AccessTokenID is the content of the jti of a JWT access token. With it, Curfew's endpoints find out whether the token
// is revoked.
type AccessTokenID struct {
	Grant    string           // empty for client_credentials
	Sequence storage.Sequence // client_credentials only: the store's sequence, read before the client
	Issued   time.Time        // in milliseconds; iat has only seconds
}

// String returns a jti. Each call returns a different one.
func (a AccessTokenID) String() string {
	return a.Grant + "." + formatSequence(a.Sequence) + "." + formatMillis(a.Issued) + "." + keys.Random()
}

// ParseAccessTokenID parses a jti. ok is false if the jti does not have the form that String returns.
func ParseAccessTokenID(jti string) (id AccessTokenID, ok bool) {
	parts := strings.Split(jti, ".")
	if len(parts) != 4 || parts[3] == "" {
		return AccessTokenID{}, false
	}
	sequence, sequenceOK := parseSequence(parts[1])
	issuedAt, issuedOK := parseMillis(parts[2])
	if !sequenceOK || !issuedOK {
		return AccessTokenID{}, false
	}
	return AccessTokenID{Grant: parts[0], Sequence: sequence, Issued: issuedAt}, true
}
