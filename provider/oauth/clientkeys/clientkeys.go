// Package clientkeys verifies the signatures of clients: on client assertions and on request objects.
//
// It uses only the keys that the client registered, by value or by jwks_uri, or the client's secret. It ignores keys
// and URLs in the token itself (jku, x5u, jwk, x5c), and uses a kid only to select a key (RFC 8725 §3.10). It does not
// check claims.
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

// Fetcher fetches a JSON document of at most maxBytes. A cached document may be up to maxAge old.
type Fetcher interface {
	FetchJSON(ctx context.Context, uri string, maxBytes int64, maxAge time.Duration) ([]byte, error)
}

// Verifier verifies signatures of clients.
type Verifier struct {
	Fetch        Fetcher                                             // for jwks_uri
	SelfFetch    Fetcher                                             // for jwks_uri of clients that registered themselves
	UnwrapSecret func(client string, wrapped []byte) ([]byte, error) // opens storage.Client.SecretWrapped
}

var (
	// ErrSignature says that no key of the client matches.
	ErrSignature = errors.New("the signature matches no key of the client")
	// ErrUnavailable says that the keys at jwks_uri cannot be fetched at present.
	ErrUnavailable = errors.New("the client's jwks_uri cannot be fetched")
)

const (
	maxJWKSBytes = 256 << 10       // of a jwks_uri document
	maxJWKSAge   = 5 * time.Minute // of a cached document; if a kid is missing in it, it is fetched again at once
	maxKeysTried = 16              // keys tried for one signature

	// maxKeysRead is the number of keys of a document that are read. Reading a key is expensive: with a large document
	// and forged signatures, an attacker could keep Curfew busy.
	maxKeysRead = 100
)

// Verify checks a compact JWS with the keys of a client and returns its payload. algs are the allowed algorithms.
// Verify returns ErrSignature or ErrUnavailable.
//
// For a client that registered itself it returns ErrSignature also if the keys cannot be fetched. Otherwise strangers
// could find out through Curfew whether a URL has a document.
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
	if c.JWKSURI == "" {
		payload, verified, _ := verifyWithJWKS(c.JWKS, jws)
		if !verified {
			return nil, ErrSignature
		}
		return payload, nil
	}
	fetch := v.Fetch
	if c.Dynamic {
		fetch = v.SelfFetch
	}
	// If the cached document does not contain the kid, the client may have added the key since: fetch it again.
	for _, maxAge := range []time.Duration{maxJWKSAge, 0} {
		jwks, err := fetch.FetchJSON(ctx, c.JWKSURI, maxJWKSBytes, maxAge)
		if err != nil && c.Dynamic {
			return nil, fmt.Errorf("%w: the client's jwks_uri cannot be fetched: %s", ErrSignature, err.Error())
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		payload, verified, hasKey := verifyWithJWKS(jwks, jws)
		if verified {
			return payload, nil
		}
		if hasKey {
			break
		}
	}
	return nil, ErrSignature
}

// verifyWithJWKS verifies a JWS with the keys of a JWK Set. hasKey reports whether the set contains the key that the
// JWS names.
func verifyWithJWKS(jwks []byte, jws *jose.JSONWebSignature) (payload []byte, verified, hasKey bool) {
	header := jws.Signatures[0].Header
	keys := candidateKeys(jwks, header)
	for _, key := range keys {
		if payload, err := jws.Verify(key); err == nil {
			return payload, true, true
		}
	}
	return nil, false, len(keys) > 0 && header.KeyID != ""
}

// verifyMAC verifies a JWS with the client's secret.
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

// candidateKeys returns the public keys of a JWK Set that may have made a signature: those with its kid, or all if the
// signature or the key has no kid. It skips keys that cannot be read.
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
		// Compare the kid first, because parsing the whole key costs far more.
		if json.Unmarshal(rawKey, &header) != nil {
			continue
		}
		otherKeyID := signatureHeader.KeyID != "" && header.KeyID != "" && header.KeyID != signatureHeader.KeyID
		if otherKeyID {
			continue
		}
		var key jose.JSONWebKey
		if json.Unmarshal(rawKey, &key) != nil || !key.IsPublic() {
			continue
		}
		otherAlgorithm := key.Algorithm != "" && key.Algorithm != signatureHeader.Algorithm
		if key.Use == "enc" || otherAlgorithm {
			continue
		}
		keys = append(keys, key)
		if len(keys) == maxKeysTried {
			break
		}
	}
	return keys
}
