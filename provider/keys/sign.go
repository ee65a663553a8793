package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
)

// ErrAlgorithm: there is no active key for the algorithm.
var ErrAlgorithm = errors.New("no key for this algorithm")

// Sign makes a JWT of claims, with the active key for alg and with typ in its header (none if empty). ErrAlgorithm.
func (r *Ring) Sign(alg, typ string, claims any) (string, error) {
	k := r.current.Load().signing[alg]
	if k == nil {
		return "", fmt.Errorf("sign with %q: %w", alg, ErrAlgorithm)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("encode claims: %w", err)
	}
	header, err := json.Marshal(struct {
		Alg string `json:"alg"`
		Kid string `json:"kid"`
		Typ string `json:"typ,omitempty"`
	}{alg, k.row.ID, typ})
	if err != nil {
		return "", fmt.Errorf("encode header: %w", err)
	}
	// RFC 7515 §7.1, compact serialization. The library's signer would encode all of it twice.
	text := append(base64.RawURLEncoding.AppendEncode(make([]byte, 0, 1024), header), '.')
	text = base64.RawURLEncoding.AppendEncode(text, payload)
	signature, err := k.sign(text)
	if err != nil {
		return "", fmt.Errorf("sign with %q: %w", alg, err)
	}
	return string(base64.RawURLEncoding.AppendEncode(append(text, '.'), signature)), nil
}

// sign is the signature of a text by the key's own algorithm (RFC 7518 §3, RFC 8037 §3.1).
func (k *key) sign(text []byte) ([]byte, error) {
	if k.row.Alg == EdDSA {
		return k.private.Sign(nil, text, crypto.Hash(0))
	}
	sum := sha256.Sum256(text)
	switch private := k.private.(type) {
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, private, sum[:])
		if err != nil {
			return nil, err
		}
		signature := make([]byte, 64) // RFC 7518 §3.4: R and S at full length, not ASN.1
		r.FillBytes(signature[:32])
		s.FillBytes(signature[32:])
		return signature, nil
	case *rsa.PrivateKey:
		if k.row.Alg == PS256 {
			return rsa.SignPSS(rand.Reader, private, crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) // RFC 7518 §3.5
		}
		return rsa.SignPKCS1v15(nil, private, crypto.SHA256, sum[:])
	}
	return nil, ErrAlgorithm
}

// JWKS is the published key set (RFC 7517 §5) and an entity tag for it, quotes included. The caller must not change the
// bytes.
func (r *Ring) JWKS() (body []byte, etag string) {
	s := r.current.Load()
	return s.jwks, s.etag
}
