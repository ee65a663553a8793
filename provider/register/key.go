package register

import (
	"bytes"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/curfew-id/curfew/storage"
)

const (
	maxKeys    = 100  // in one JWK Set
	minRSABits = 2048 // RFC 7518 §3.3
)

// ClientSigningAlgs returns the signature algorithms for assertions and request objects of clients.
func ClientSigningAlgs() []string {
	return []string{"RS256", "ES256", "PS256", "EdDSA"}
}

// ClientMACAlgs returns the algorithms of client_secret_jwt.
func ClientMACAlgs() []string { return []string{"HS256"} }

// SigningAlgs returns the algorithms with which Curfew can sign.
func SigningAlgs() []string { return []string{"RS256", "ES256", "PS256", "EdDSA"} }

// checkKeySource checks the keys that verify a client's signatures. It does not fetch jwks_uri, because no key is
// needed yet.
func (c *validation) checkKeySource(m *storage.Metadata) {
	if len(m.JWKS) > 0 && m.JWKSURI != "" {
		c.addProblem("jwks", "cannot stand beside jwks_uri; keep one of them (Registration §2)")
	}
	if m.JWKSURI != "" {
		const allowHTTP = false
		_, err := parseFetchedURI(m.JWKSURI, allowHTTP)
		if err = refuseFragment(m.JWKSURI, err); err != nil {
			c.addProblem("jwks_uri", "%s", err)
		}
	}
	signingKeys := 0
	if len(m.JWKS) > 0 {
		var err error
		signingKeys, err = checkJWKS(m.JWKS)
		if err != nil {
			c.addProblem("jwks", "%s", err)
		}
	}
	if m.JWKSURI != "" || signingKeys > 0 {
		return
	}
	if m.TokenEndpointAuthMethod == "private_key_jwt" {
		c.addProblem("jwks", "is missing or has no signing key; private_key_jwt needs jwks or jwks_uri")
	}
	if m.RequestObjectSigningAlg != "" && m.RequestObjectSigningAlg != "none" {
		c.addProblem("jwks", "is missing or has no signing key; signed request objects need jwks or jwks_uri")
	}
}

// checkJWKS checks a JWK Set of public keys (RFC 7517 §5). It returns the number of keys that can verify signatures.
func checkJWKS(raw json.RawMessage) (signingKeys int, err error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(raw, &set); err != nil || set.Keys == nil {
		return 0, errors.New(`is not a JWK Set; write {"keys": [...]} (RFC 7517 §5)`)
	}
	if len(set.Keys) > maxKeys {
		return 0, fmt.Errorf("has more than %d keys", maxKeys)
	}
	var ids []string
	for i, rawKey := range set.Keys {
		key, err := checkKey(rawKey)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", indexed("keys", i), err)
		}
		if key.KeyID != "" && slices.Contains(ids, key.KeyID) {
			return 0, fmt.Errorf("%s: kid %+q is there twice", indexed("keys", i), key.KeyID)
		}
		ids = append(ids, key.KeyID)
		if key.Use != "enc" {
			signingKeys++
		}
	}
	return signingKeys, nil
}

// checkKey checks one public key and parses it.
func checkKey(raw json.RawMessage) (*jose.JSONWebKey, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return nil, errors.New("is not a JSON object")
	}
	if bytes.Equal(members["kty"], []byte(`"oct"`)) {
		return nil, errors.New("is symmetric; a secret is agreed on as client_secret, never as a key")
	}
	for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"} {
		if _, found := members[private]; found {
			return nil, fmt.Errorf("holds the private member %q; "+
				"publish the public part only, and make a new key, since this one has been shown", private)
		}
	}
	var key jose.JSONWebKey
	if err := key.UnmarshalJSON(raw); err != nil || !key.Valid() {
		return nil, errors.New(
			"is not a key that Curfew knows: RSA up to 4096 bits, EC with P-256, P-384 or P-521, OKP with Ed25519",
		)
	}
	if rsaKey, isRSA := key.Key.(*rsa.PublicKey); isRSA {
		if err := checkRSAKey(rsaKey); err != nil {
			return nil, err
		}
	}
	if !slices.Contains([]string{"", "sig", "enc"}, key.Use) {
		return nil, fmt.Errorf("has the use %+q; write sig or enc", key.Use)
	}
	return &key, nil
}

// checkRSAKey checks the modulus and the exponent of an RSA key.
func checkRSAKey(key *rsa.PublicKey) error {
	bits := key.N.BitLen()
	if bits < minRSABits {
		return fmt.Errorf("is an RSA key of %d bits; %d are the least (RFC 7518 §3.3)", bits, minRSABits)
	}
	if key.E < 3 || key.E%2 == 0 { // such an exponent cannot be used with RSA
		return fmt.Errorf("has the exponent %d; 65537 is usual", key.E)
	}
	return nil
}

// checkAlgorithms checks the signature algorithms and fills in their defaults. Encryption is not supported.
func (c *validation) checkAlgorithms(m *storage.Metadata) {
	supported := c.policy.SigningAlgs
	if len(supported) == 0 {
		supported = SigningAlgs()
	}
	if m.IDTokenSignedResponseAlg == "" {
		m.IDTokenSignedResponseAlg = "RS256" // Registration §2
	}
	unsignedAllowed := c.policy.AllowUnsignedIDTokens
	switch {
	case m.IDTokenSignedResponseAlg != "none" || !unsignedAllowed:
		c.checkOneOf("id_token_signed_response_alg", m.IDTokenSignedResponseAlg, supported...)
	case slices.ContainsFunc(m.ResponseTypes, includesIDToken):
		// Core §2: an ID token in an authorization response must be signed, because every website can forge the
		// response.
		c.addProblem(
			"id_token_signed_response_alg",
			"none is for response types that give no ID token at the authorization endpoint (Core §2)",
		)
	}
	c.checkOneOf("userinfo_signed_response_alg", m.UserinfoSignedResponseAlg, supported...)
	c.checkOneOf("request_object_signing_alg", m.RequestObjectSigningAlg, append(ClientSigningAlgs(), "none")...)
	switch m.TokenEndpointAuthMethod {
	case "private_key_jwt":
		c.checkOneOf("token_endpoint_auth_signing_alg", m.TokenEndpointAuthAlg, ClientSigningAlgs()...)
	case "client_secret_jwt":
		c.checkOneOf("token_endpoint_auth_signing_alg", m.TokenEndpointAuthAlg, ClientMACAlgs()...)
	default:
		// Registration §2 defines this member only for the two JWT methods. It is accepted and has no effect.
		c.checkOneOf(
			"token_endpoint_auth_signing_alg",
			m.TokenEndpointAuthAlg,
			append(ClientSigningAlgs(), ClientMACAlgs()...)...)
	}
}

// includesIDToken reports whether the authorization response of this type contains an ID token.
func includesIDToken(responseType string) bool {
	return slices.Contains(strings.Fields(responseType), "id_token")
}
