package keys

import (
	"fmt"

	"github.com/curfew-id/curfew/storage"
)

// totpUse is what the wrapped secret of an authenticator app is bound to, with its user.
const totpUse = "totp"

// WrapTOTP seals the secret of a user's authenticator app by the key file's key.
func (r *Ring) WrapTOTP(subject string, secret []byte) ([]byte, error) {
	return r.wrapper.wrap(storage.Key{ID: subject, Use: totpUse}, secret), nil
}

// UnwrapTOTP is the reverse of WrapTOTP.
func (r *Ring) UnwrapTOTP(subject string, wrapped []byte) ([]byte, error) {
	secret, err := r.wrapper.unwrap(storage.Key{ID: subject, Use: totpUse, Wrapped: wrapped})
	if err != nil {
		return nil, fmt.Errorf("unwrap the secret of an authenticator app: %w", err)
	}
	return secret, nil
}
