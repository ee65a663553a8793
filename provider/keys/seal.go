package keys

import (
	"errors"
	"fmt"
	"slices"
)

// maxSealedLength bounds the text of what is sealed, in characters.
const maxSealedLength = 20 << 10

// The errors of sealing. Callers test them with errors.Is.
var (
	// ErrTooLarge: what is to be sealed would take more than maxSealedLength characters.
	ErrTooLarge = errors.New("too large to be sealed")
	// ErrNotSealed: the text was not sealed by us under that kind, or too long ago.
	ErrNotSealed = errors.New("not sealed here")
)

// Seal encrypts and authenticates value under the name of its kind, so that it can travel through a browser. A value of
// one kind is useless as another. Until when it counts has to stand inside; it must not be empty. ErrTooLarge.
func (r *Ring) Seal(kind string, value []byte) (string, error) {
	// The codec encrypts in place.
	text, err := r.current.Load().sealingKeys[0].codec.Encode(kind, slices.Clone(value))
	if err != nil {
		return "", fmt.Errorf("seal %s: %w", kind, ErrTooLarge) // length is all that can go wrong with bytes
	}
	return text, nil
}

// Open is the reverse of Seal. ErrSealed.
func (r *Ring) Open(kind, text string) ([]byte, error) {
	if len(text) <= maxSealedLength {
		for _, k := range r.current.Load().sealingKeys {
			var value []byte
			if k.codec.Decode(kind, text, &value) == nil {
				return value, nil
			}
		}
	}
	return nil, fmt.Errorf("open %s: %w", kind, ErrNotSealed)
}
