package keys

import (
	"encoding/json"
	"errors"
	"fmt"
)

// ErrNoActiveKey means that there is no active key for the algorithm.
var ErrNoActiveKey = errors.New("no key for this algorithm")

// Sign returns a JWT of claims, signed with the active key for alg. The header of the JWT has typ, unless typ is empty.
// If there is no active key, the error is ErrNoActiveKey.
func (r *Ring) Sign(alg, typ string, claims any) (string, error) {
	k := r.current.Load().signingKeys[alg]
	if k == nil {
		return "", fmt.Errorf("sign with %q: %w", alg, ErrNoActiveKey)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("encode claims: %w", err)
	}
	signer, err := k.signer(typ)
	if err != nil {
		return "", fmt.Errorf("sign with %q: %w", alg, err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("sign with %q: %w", alg, err)
	}
	return jws.CompactSerialize()
}

// JWKS returns the published key set (RFC 7517 §5) and its entity tag with quotes. The caller must not change the
// bytes.
func (r *Ring) JWKS() (body []byte, etag string) {
	s := r.current.Load()
	return s.jwks, s.etag
}
