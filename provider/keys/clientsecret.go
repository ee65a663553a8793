package keys

import (
	"fmt"

	"github.com/curfew-id/curfew/storage"
)

// clientSecretUse is what a wrapped client secret is bound to, with its client: it cannot be swapped with another
// client's or with a key.
const clientSecretUse = "client_secret"

// WrapSecret seals the secret of a client where it must be known and not only compared (client_secret_jwt).
func (r *Ring) WrapSecret(client string, secret []byte) ([]byte, error) {
	return r.wrapper.wrap(storage.Key{ID: client, Use: clientSecretUse}, secret), nil
}

// UnwrapSecret is the reverse of WrapSecret.
func (r *Ring) UnwrapSecret(client string, wrapped []byte) ([]byte, error) {
	secret, err := r.wrapper.unwrap(storage.Key{ID: client, Use: clientSecretUse, Wrapped: wrapped})
	if err != nil {
		return nil, fmt.Errorf("unwrap client secret: %w", err)
	}
	return secret, nil
}
