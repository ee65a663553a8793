package tokens

import (
	"strings"
	"time"
)

// Response is a token response (RFC 6749 §5.1, Core §3.1.3.3), or the tokens of an authorization response.
type Response struct {
	AccessToken  string `json:"access_token,omitempty"`
	TokenType    string `json:"token_type,omitempty"`
	ExpiresIn    int64  `json:"expires_in,omitempty"` // seconds
	RefreshToken string `json:"refresh_token,omitempty"`
	IDToken      string `json:"id_token,omitempty"`
	Scope        string `json:"scope,omitempty"`
}

// setAccessToken sets the access token of a response: the opaque token, or a newly signed JWT if the client uses JWTs.
func (m *Minter) setAccessToken(response *Response, a accessToken, opaque string) (err error) {
	response.AccessToken = opaque
	if a.client.UsesJWTAccessTokens() {
		if response.AccessToken, err = m.signAccessToken(a); err != nil {
			return err
		}
	}
	response.TokenType = "Bearer"
	response.ExpiresIn = int64(a.expiresAt.Sub(a.issuedAt) / time.Second)
	response.Scope = strings.Join(a.scope, " ")
	return nil
}
