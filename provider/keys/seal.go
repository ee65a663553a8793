package keys

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// maxSealedLength limits a sealed text, in characters.
const maxSealedLength = 20 << 10

// The errors of sealing. Callers test them with errors.Is.
var (
	// ErrTooLarge means that the sealed text would be longer than maxSealedLength.
	ErrTooLarge = errors.New("too large to be sealed")
	// ErrNotSealed means that the text was not sealed by this provider for that purpose, or that its key is gone.
	ErrNotSealed = errors.New("not sealed here")
)

// Seal encrypts and authenticates value, so that a browser can carry it. Only Open with the same purpose opens it.
// value must not be empty. Seal adds no expiry, so value must contain one. If value is too long, the error is
// ErrTooLarge.
func (r *Ring) Seal(purpose string, value []byte) (string, error) {
	ownCopy := slices.Clone(value) // the codec encrypts in place
	text, err := r.current.Load().sealingKeys[0].codec.Encode(purpose, ownCopy)
	if err != nil {
		return "", fmt.Errorf("seal %s: %w", purpose, ErrTooLarge) // the codec has no other error for bytes
	}
	return text, nil
}

// isCanonicalBase64 reports whether text is as Seal writes it. The codec's decoder skips line ends and ignores trailing
// bits, so that one value could be sent as many different texts.
func isCanonicalBase64(text string) bool {
	_, err := base64.URLEncoding.Strict().DecodeString(text)
	return err == nil && !strings.ContainsAny(text, "\r\n")
}

// Open returns the value that Seal has sealed for the same purpose. For any other text the error is ErrNotSealed.
func (r *Ring) Open(purpose, text string) ([]byte, error) {
	if len(text) > maxSealedLength || !isCanonicalBase64(text) {
		return nil, fmt.Errorf("open %s: %w", purpose, ErrNotSealed)
	}
	for _, k := range r.current.Load().sealingKeys {
		var value []byte
		if k.codec.Decode(purpose, text, &value) == nil {
			return value, nil
		}
	}
	return nil, fmt.Errorf("open %s: %w", purpose, ErrNotSealed)
}
