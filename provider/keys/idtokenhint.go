package keys

import (
	"fmt"

	"github.com/curfew-id/curfew/storage"
)

// upstreamTokenUse is what a wrapped ID token of an upstream is bound to, with its account.
const upstreamTokenUse = "upstream_id_token"

// WrapIDToken encrypts the ID token of an upstream under the key file. It is bound to the account of the token.
func (r *Ring) WrapIDToken(issuer, subject string, token []byte) ([]byte, error) {
	return r.wrapper.wrap(storage.Key{ID: issuer, Alg: subject, Use: upstreamTokenUse}, token), nil
}

// UnwrapIDToken decrypts an ID token that WrapIDToken has encrypted for the same account.
func (r *Ring) UnwrapIDToken(issuer, subject string, wrapped []byte) ([]byte, error) {
	token, err := r.wrapper.unwrap(storage.Key{ID: issuer, Alg: subject, Use: upstreamTokenUse, Wrapped: wrapped})
	if err != nil {
		return nil, fmt.Errorf("unwrap the ID token of an upstream: %w", err)
	}
	return token, nil
}
