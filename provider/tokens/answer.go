package tokens

import (
	"strings"
	"time"
)

// Answer is what a relying party gets: a token response (RFC 6749 §5.1, Core §3.1.3.3), or the token part of an authorization response.
type Answer struct {
	AccessToken  string `json:"access_token,omitempty"`
	TokenType    string `json:"token_type,omitempty"`
	ExpiresIn    int64  `json:"expires_in,omitempty"` // seconds
	RefreshToken string `json:"refresh_token,omitempty"`
	IDToken      string `json:"id_token,omitempty"`
	Scope        string `json:"scope,omitempty"`
}

// setAccess puts an access token into the answer: the opaque text that was stored, or a JWT signed now.
func (m *Minter) setAccess(ans *Answer, a access, opaque string) (err error) {
	ans.AccessToken = opaque
	if jwtAccess(a.client) {
		if ans.AccessToken, err = m.signAccess(a); err != nil {
			return err
		}
	}
	ans.TokenType = "Bearer"
	ans.ExpiresIn = int64(a.end.Sub(a.at) / time.Second)
	ans.Scope = strings.Join(a.scope, " ")
	return nil
}
