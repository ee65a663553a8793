// Package clientkeys verifies what relying parties sign: client assertions and request objects.
//
// The keys are those a client registered, by value or by jwks_uri, or its secret; nothing in the token itself (jku,
// x5u, jwk, x5c) is believed, and a kid is only a name to look up (RFC 8725 §3.10). It does not look at claims.
package clientkeys

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/curfew-id/curfew/storage"
)

// Fetcher fetches a JSON document, at most maxAge old.
type Fetcher interface {
	FetchJSON(ctx context.Context, uri string, maxBytes int64, maxAge time.Duration) ([]byte, error)
}

// Verifier verifies by a client's keys.
type Verifier struct {
	Fetch        Fetcher                                             // for jwks_uri
	UnwrapSecret func(client string, wrapped []byte) ([]byte, error) // opens storage.Client.SecretWrapped
}

var (
	// ErrSignature: no key of the client matches.
	ErrSignature = errors.New("the signature matches no key of the client")
	// ErrUnavailable: the keys at jwks_uri cannot be fetched just now.
	ErrUnavailable = errors.New("the client's jwks_uri cannot be fetched")
)

const (
	maxJWKSBytes = 256 << 10       // bytes of a jwks_uri document
	maxJWKSAge   = 5 * time.Minute // for which it is believed unless a kid is missing in it
	maxKeysTried = 16              // keys tried for one signature
	maxKeysRead  = 100             // keys of a document that are looked at: more would let forged signatures cost us far more than their sender
)

// Verify checks a JWS in compact form by the keys of a client, in one of algs, and returns its payload. ErrSignature,
// ErrUnavailable.
func (v Verifier) Verify(ctx context.Context, c *storage.Client, token string, algs []string) ([]byte, error) {
	accepted := make([]jose.SignatureAlgorithm, len(algs))
	for i, alg := range algs {
		accepted[i] = jose.SignatureAlgorithm(alg)
	}
	jws, err := jose.ParseSignedCompact(token, accepted)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSignature, err)
	}
	header := jws.Signatures[0].Header
	if strings.HasPrefix(header.Algorithm, "HS") {
		return v.verifyMAC(c, jws)
	}
	loadJWKS := []func() ([]byte, error){func() ([]byte, error) { return c.JWKS, nil }}
	if c.JWKSURI != "" {
		// A kid that is not there yet may have come since: then the document is fetched again.
		loadJWKS = []func() ([]byte, error){
			func() ([]byte, error) { return v.Fetch.FetchJSON(ctx, c.JWKSURI, maxJWKSBytes, maxJWKSAge) },
			func() ([]byte, error) { return v.Fetch.FetchJSON(ctx, c.JWKSURI, maxJWKSBytes, 0) },
		}
	}
	for _, load := range loadJWKS {
		raw, err := load()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		keys := candidateKeys(raw, header)
		for _, key := range keys {
			if payload, err := jws.Verify(key); err == nil {
				return payload, nil
			}
		}
		if len(keys) > 0 && header.KeyID != "" {
			break // the key is known and does not fit
		}
	}
	return nil, ErrSignature
}

func (v Verifier) verifyMAC(c *storage.Client, jws *jose.JSONWebSignature) ([]byte, error) {
	if len(c.SecretWrapped) == 0 {
		return nil, ErrSignature
	}
	secret, err := v.UnwrapSecret(c.ClientID, c.SecretWrapped)
	if err != nil {
		return nil, fmt.Errorf("open client secret: %w", err)
	}
	payload, err := jws.Verify(secret)
	if err != nil {
		return nil, ErrSignature
	}
	return payload, nil
}

// candidateKeys are the public keys of a JWK Set that may have made a signature: those of its kid, or all where
// either names none. A key that cannot be read is passed over.
func candidateKeys(raw []byte, signatureHeader jose.Header) (keys []jose.JSONWebKey) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if json.Unmarshal(raw, &set) != nil {
		return nil
	}
	for _, rawKey := range set.Keys[:min(len(set.Keys), maxKeysRead)] {
		var header struct {
			KeyID string `json:"kid"`
		}
		if json.Unmarshal(rawKey, &header) != nil ||
			signatureHeader.KeyID != "" && header.KeyID != "" && header.KeyID != signatureHeader.KeyID {
			continue // before the key itself is read, which costs far more
		}
		var key jose.JSONWebKey
		if json.Unmarshal(rawKey, &key) != nil || !key.IsPublic() || key.Use == "enc" ||
			key.Algorithm != "" && key.Algorithm != signatureHeader.Algorithm {
			continue
		}
		if keys = append(keys, key); len(keys) == maxKeysTried {
			break
		}
	}
	return keys
}
