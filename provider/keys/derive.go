package keys

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
)

// randomLength is the length of a text from Random, without its prefix.
var randomLength = base64.RawURLEncoding.EncodedLen(sha256.Size)

// NextRefreshToken returns the refresh token that follows token, with the same prefix. It derives that token from token
// with a secret key: a client that has lost the response gets the same token again, but cannot compute it.
func (r *Ring) NextRefreshToken(token string) string {
	prefix := token[:max(0, len(token)-randomLength)]
	return prefix + r.deriveToken(UseRefresh, token)
}

// Pairwise returns the subject of a user for the clients of one sector (OpenID Connect Core 1.0 §8.1).
func (r *Ring) Pairwise(sector, subject string) string {
	return r.deriveToken(UsePairwise, fmt.Sprintf("%d:%s%s", len(sector), sector, subject))
}

func (r *Ring) deriveToken(use, input string) string {
	mac := hmac.New(sha256.New, r.current.Load().derivationKeys[use].secret)
	mac.Write([]byte(input))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
