package keys

import (
	"fmt"

	"github.com/curfew-id/curfew/storage"
)

// mailUse is what the wrapped content of a message is bound to, with its id.
const mailUse = "mail"

// WrapMail seals the content of a queued message by the key file's key: it may contain a one-time link.
func (r *Ring) WrapMail(id string, content []byte) []byte {
	return r.wrapper.wrap(storage.Key{ID: id, Use: mailUse}, content)
}

// UnwrapMail is the reverse of WrapMail.
func (r *Ring) UnwrapMail(id string, wrapped []byte) ([]byte, error) {
	content, err := r.wrapper.unwrap(storage.Key{ID: id, Use: mailUse, Wrapped: wrapped})
	if err != nil {
		return nil, fmt.Errorf("unwrap a message: %w", err)
	}
	return content, nil
}
