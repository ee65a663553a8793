package tokens

import (
	"encoding/json"
	"errors"
)

// Audience is an aud claim: a string or an array of strings (RFC 7519 §4.1.3).
type Audience []string

// MarshalJSON encodes a single audience as a string.
func (a Audience) MarshalJSON() ([]byte, error) {
	if len(a) == 1 {
		return json.Marshal(a[0])
	}
	return json.Marshal([]string(a))
}

// UnmarshalJSON accepts a string or an array of strings.
func (a *Audience) UnmarshalJSON(raw []byte) error {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		*a = Audience{one}
		return nil
	}
	var many []string
	if json.Unmarshal(raw, &many) != nil {
		return errors.New("aud is neither a string nor an array of strings")
	}
	*a = many
	return nil
}
