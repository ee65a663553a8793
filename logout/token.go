package logout

import (
	"context"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// TokenLifetime is the time from iat to exp of a logout token (Back-Channel Logout 1.0 §4: preferably at most two
// minutes).
const TokenLifetime = 2 * time.Minute

// LogoutEvent is the only member of a logout token's events (Back-Channel Logout 1.0 §2.4). It begins with http, not
// https.
const LogoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// Signer signs the claims of a logout token with d.Alg and returns the JWT. It sets the header's typ to d.Typ:
// logout+jwt if d.Typ is empty, no typ if it is "none". claims contains jti, iat and exp already.
type Signer func(
	ctx context.Context,
	d storage.Delivery,
	jti string,
	iat, exp time.Time,
	claims map[string]any,
) (string, error)

// tokenClaims returns the claims of a logout token. There is no nonce: Back-Channel Logout 1.0 §2.4 forbids it, so
// that a logout token cannot pass as an ID token. It leaves sid out only for clients with logout_token_claims sub. Such
// a client ends all sessions of the user.
func tokenClaims(issuer string, d storage.Delivery, jti string, iat, exp time.Time) map[string]any {
	claims := map[string]any{
		"iss":    issuer,
		"aud":    d.Client,
		"iat":    iat.Unix(),
		"exp":    exp.Unix(),
		"jti":    jti,
		"events": map[string]any{LogoutEvent: map[string]any{}},
	}
	if d.Claims != "sid" {
		claims["sub"] = d.Subject
	}
	if d.Claims != "sub" {
		claims["sid"] = d.SID
	}
	return claims
}
