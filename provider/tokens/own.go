package tokens

import (
	"time"

	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/storage"
)

// Own makes an access token for a client itself (client_credentials, RFC 6749 §4.4). What is to be stored first is in record; it is nil for a
// JWT, which costs no commit. There is no refresh token (§4.4.3) and nobody's session.
func (m *Minter) Own(c *storage.Client, scope []string, at time.Time) (ans Answer, record *storage.Token, err error) {
	a := access{client: c, scope: scope, at: instant(at), end: m.accessEnd(c, instant(at), time.Time{})}
	var opaque string
	if !jwtAccess(c) {
		opaque = keys.Random(AccessPrefix)
		t := a.record(opaque)
		record = &t
	}
	if err := m.setAccess(&ans, a, opaque); err != nil {
		return Answer{}, nil, err
	}
	return ans, record, nil
}
