package keys

import (
	"crypto/sha256"

	lru "github.com/hashicorp/golang-lru/v2"
)

// verifiedTokens remembers the JWT access tokens whose signature and claims were verified, so that a resource server
// that asks about a token again does not cost another signature check. It says nothing about expiry and revocation,
// which callers check each time.
type verifiedTokens struct {
	cache *lru.Cache[[sha256.Size]byte, verifiedToken]
}

// maxVerifiedTokens bounds the memory: a token is rarely longer than 2 kB.
const maxVerifiedTokens = 4096

// verifiedToken is a token with the keys that it was verified by. Other keys mean that it must be verified again.
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

// find returns the token with a text if it was verified by these keys.
func (v verifiedTokens) find(text string, keys *snapshot) (AccessToken, bool) {
	known, ok := v.cache.Get(sha256.Sum256([]byte(text)))
	return known.token, ok && known.keys == keys
}

// add remembers a verified token.
func (v verifiedTokens) add(text string, token AccessToken, keys *snapshot) {
	v.cache.Add(sha256.Sum256([]byte(text)), verifiedToken{token, keys})
}
