package keys

import (
	"crypto/sha256"

	lru "github.com/hashicorp/golang-lru/v2"
)

// verifiedTokens is a cache of the JWT access tokens whose signature and claims were verified. With it, the second
// introspection of a token needs no signature check. Callers check expiry and revocation each time.
type verifiedTokens struct {
	cache *lru.Cache[[sha256.Size]byte, verifiedToken]
}

// maxVerifiedTokens bounds the memory: a token is rarely longer than 2 kB.
const maxVerifiedTokens = 4096

// verifiedToken is a token with the keys that verified it. After a change of the keys, it must be verified again.
type verifiedToken struct {
	token AccessToken
	keys  *snapshot
}

func newVerifiedTokens() verifiedTokens {
	cache, err := lru.New[[sha256.Size]byte, verifiedToken](maxVerifiedTokens)
	if err != nil {
		panic(err) // the size is a positive constant
	}
	return verifiedTokens{cache}
}

// find returns the token with this text. ok is false if these keys have not verified it.
func (v verifiedTokens) find(text string, keys *snapshot) (token AccessToken, ok bool) {
	cached, ok := v.cache.Get(sha256.Sum256([]byte(text)))
	return cached.token, ok && cached.keys == keys
}

// add remembers a verified token.
func (v verifiedTokens) add(text string, token AccessToken, keys *snapshot) {
	v.cache.Add(sha256.Sum256([]byte(text)), verifiedToken{token, keys})
}
