package keys

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
)

// randomLength is the length of what Random writes after its prefix.
var randomLength = base64.RawURLEncoding.EncodedLen(sha256.Size)

// NextRefreshToken is the refresh token that follows token, with the same prefix. It is the same each time, so that a
// client whose answer was lost gets it again, and cannot be guessed from token.
func (r *Ring) NextRefreshToken(token string) string {
	prefix := token[:max(0, len(token)-randomLength)]
	return prefix + r.deriveToken(UseRefresh, token)
}

// Pairwise is the subject by which the clients of one sector know a user (OpenID Connect Core 1.0 §8.1).
func (r *Ring) Pairwise(sector, subject string) string {
	return r.deriveToken(UsePairwise, fmt.Sprintf("%d:%s%s", len(sector), sector, subject))
}

func (r *Ring) deriveToken(use, input string) string {
	mac := hmac.New(sha256.New, r.current.Load().derivationKeys[use].secret)
	mac.Write([]byte(input))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
