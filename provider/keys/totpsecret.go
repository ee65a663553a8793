package keys

import (
	"fmt"

	"github.com/curfew-id/curfew/storage"
)

// totpUse is the use of wrapped secrets of authenticator apps. wrap binds a secret to this use and to its user.
const totpUse = "totp"

// WrapTOTP encrypts the secret of a user's authenticator app under the key file.
func (r *Ring) WrapTOTP(subject string, secret []byte) ([]byte, error) {
	return r.wrapper.wrap(storage.Key{ID: subject, Use: totpUse}, secret), nil
}

// UnwrapTOTP decrypts a secret that WrapTOTP has encrypted for the same user.
func (r *Ring) UnwrapTOTP(subject string, wrapped []byte) ([]byte, error) {
	secret, err := r.wrapper.unwrap(storage.Key{ID: subject, Use: totpUse, Wrapped: wrapped})
	if err != nil {
		return nil, fmt.Errorf("unwrap the secret of an authenticator app: %w", err)
	}
	return secret, nil
}
