package keys

import (
	"fmt"

	"github.com/curfew-id/curfew/storage"
)

// clientSecretUse is the use of wrapped client secrets. wrap binds a secret to this use and to its client, so it cannot
// be swapped with a key or with the secret of another client.
const clientSecretUse = "client_secret"

// WrapSecret encrypts the secret of a client under the key file. Curfew stores the encrypted secret of a client with
// client_secret_jwt, because a hash cannot verify its assertions.
func (r *Ring) WrapSecret(client string, secret []byte) ([]byte, error) {
	return r.wrapper.wrap(storage.Key{ID: client, Use: clientSecretUse}, secret), nil
}

// UnwrapSecret decrypts a secret that WrapSecret has encrypted for the same client.
func (r *Ring) UnwrapSecret(client string, wrapped []byte) ([]byte, error) {
	secret, err := r.wrapper.unwrap(storage.Key{ID: client, Use: clientSecretUse, Wrapped: wrapped})
	if err != nil {
		return nil, fmt.Errorf("unwrap client secret: %w", err)
	}
	return secret, nil
}
