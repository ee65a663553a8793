package keys

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
)

// secretLength is the length of what Random writes after its prefix.
var secretLength = base64.RawURLEncoding.EncodedLen(sha256.Size)

// Successor is the refresh token that follows token, with the same prefix. It is the same each time, so that a client
// whose answer was lost gets it again, and cannot be guessed from token.
func (r *Ring) Successor(token string) string {
	prefix := token[:max(0, len(token)-secretLength)]
	return prefix + r.derive(UseRefresh, token)
}

// Pairwise is the subject by which the clients of one sector know a person (OpenID Connect Core 1.0 §8.1).
func (r *Ring) Pairwise(sector, subject string) string {
	return r.derive(UsePairwise, fmt.Sprintf("%d:%s%s", len(sector), sector, subject))
}

func (r *Ring) derive(use, from string) string {
	mac := hmac.New(sha256.New, r.current.Load().derive[use].secret)
	mac.Write([]byte(from))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
