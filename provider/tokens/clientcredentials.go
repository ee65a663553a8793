package tokens

import (
	"time"

	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/storage"
)

// NewClientCredentialsToken returns an access token for the client itself (client_credentials, RFC 6749 §4.4).
// sequence is the store's sequence, read before the client. The caller stores record before it sends response. record
// is nil for a JWT, which is not stored. There is no refresh token (§4.4.3) and no session.
func (m *Minter) NewClientCredentialsToken(
	c *storage.Client,
	scope []string,
	sequence storage.Sequence,
	at time.Time,
) (response Response, record *storage.Token, err error) {
	a := accessToken{
		client:    c,
		scope:     scope,
		sequence:  sequence,
		issuedAt:  truncateToMillis(at),
		expiresAt: m.accessTokenExpiry(c, truncateToMillis(at), time.Time{}),
	}
	var opaque string
	if !c.UsesJWTAccessTokens() {
		opaque = keys.RandomWithPrefix(AccessPrefix)
		t := m.record(a, opaque)
		record = &t
	}
	if err := m.setAccessToken(&response, a, opaque); err != nil {
		return Response{}, nil, err
	}
	return response, record, nil
}
