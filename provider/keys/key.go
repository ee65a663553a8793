package keys

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/gorilla/securecookie"

	"github.com/curfew-id/curfew/storage"
)

// key is a key in memory: its record, unwrapped and parsed.
type key struct {
	record  storage.Key
	public  jose.JSONWebKey            // of a signing key
	private crypto.Signer              // of a signing key; nil after its private part was destroyed
	signers map[string]jose.Signer     // of a signing key, by the typ header of their tokens
	codec   *securecookie.SecureCookie // of a sealing key
	secret  []byte                     // of all keys but signing keys
}

// The lengths of secrets, in bytes. The secret of a sealing key is a MAC key followed by an encryption key.
const (
	secretBytes = 64
	macKeyBytes = 32
	keyIDBytes  = 9
)

// cachedTypes are the typ headers with a cached signer. For another typ, each token gets a new signer.
var cachedTypes = []string{"JWT", "at+jwt", "logout+jwt"}

// newKey makes a key and its record. Created is the only time of the record that it sets.
func newKey(w *wrapper, use, alg string, rsaBits int, at time.Time) (*key, error) {
	record := storage.Key{Use: use, Alg: alg, Created: at}
	if use != UseSign {
		record.ID = use + "-" + base64.RawURLEncoding.EncodeToString(randomBytes(keyIDBytes))
		record.Wrapped = w.wrap(record, randomBytes(secretBytes))
		return unwrapAndParse(w, record)
	}
	private, err := generatePrivateKey(alg, rsaBits)
	if err != nil {
		return nil, err
	}
	public, err := publicJWK(private, alg)
	if err != nil {
		return nil, err
	}
	record.ID = public.KeyID
	record.Public, err = public.MarshalJSON()
	if err != nil {
		return nil, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	record.Wrapped = w.wrap(record, secret)
	return unwrapAndParse(w, record)
}

func generatePrivateKey(alg string, rsaBits int) (crypto.Signer, error) {
	switch alg {
	case RS256, PS256:
		return rsa.GenerateKey(rand.Reader, rsaBits)
	case ES256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case EdDSA:
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return private, err
	}
	return nil, fmt.Errorf("algorithm %q is not known", alg)
}

// publicJWK returns the public JWK of a private key. Its kid is the RFC 7638 thumbprint. Some relying parties refuse a
// JWK without alg, so the JWK has an alg and each key is for one algorithm.
func publicJWK(private crypto.Signer, alg string) (jose.JSONWebKey, error) {
	public := jose.JSONWebKey{Key: private.Public(), Algorithm: alg, Use: "sig"}
	id, err := thumbprint(public)
	public.KeyID = id
	return public, err
}

func thumbprint(k jose.JSONWebKey) (string, error) {
	sum, err := k.Thumbprint(crypto.SHA256)
	return base64.RawURLEncoding.EncodeToString(sum), err
}

// unwrapAndParse unwraps and parses a record. Every record has a wrapped secret. If the private part was destroyed, the
// secret is empty. Only Curfew can wrap it, so an attacker who can write to the store but does not have the key file
// cannot add a public key to the JWKS.
func unwrapAndParse(w *wrapper, record storage.Key) (*key, error) {
	secret, err := w.unwrap(record)
	if err != nil {
		return nil, err
	}
	k := &key{record: record}
	switch record.Use {
	case UseSign:
		return k, k.parseSigning(secret)
	case UseSeal, UseRefresh, UsePairwise:
		if len(secret) != secretBytes {
			return nil, errors.New("wrong length")
		}
		k.secret = secret
		if record.Use == UseSeal {
			k.codec = securecookie.New(secret[:macKeyBytes], secret[macKeyBytes:]).
				SetSerializer(securecookie.NopEncoder{}).
				MaxAge(0). // the sealed value has its own expiry
				MaxLength(maxSealedLength)
		}
		return k, nil
	}
	return nil, fmt.Errorf("use %q is not known", record.Use)
}

func (k *key) parseSigning(secret []byte) error {
	if err := json.Unmarshal(k.record.Public, &k.public); err != nil {
		return fmt.Errorf("public key: %w", err)
	}
	id, err := thumbprint(k.public)
	matchesRecord := err == nil && id == k.record.ID
	if !matchesRecord || !k.public.IsPublic() {
		return errors.New("public key is not the one the row is named for")
	}
	k.public.KeyID = id
	k.public.Algorithm = k.record.Alg
	k.public.Use = "sig"
	if len(secret) == 0 {
		return nil
	}
	parsed, err := x509.ParsePKCS8PrivateKey(secret)
	if err != nil {
		return fmt.Errorf("private key: %w", err)
	}
	private, ok := parsed.(crypto.Signer)
	if !ok {
		return errors.New("private key cannot sign")
	}
	public, err := publicJWK(private, k.record.Alg)
	if err != nil || public.KeyID != id {
		return errors.New("private and public key do not belong together")
	}
	k.private = private
	k.signers = map[string]jose.Signer{}
	for _, typ := range cachedTypes {
		signer, err := k.signer(typ)
		if err != nil {
			return err
		}
		k.signers[typ] = signer
	}
	return nil
}

// signer returns a signer that writes typ into the header. If typ is empty, the header has no typ.
func (k *key) signer(typ string) (jose.Signer, error) {
	if s := k.signers[typ]; s != nil {
		return s, nil
	}
	options := new(jose.SignerOptions)
	if typ != "" {
		options = options.WithType(jose.ContentType(typ))
	}
	return jose.NewSigner(jose.SigningKey{
		Algorithm: jose.SignatureAlgorithm(k.record.Alg),
		Key:       jose.JSONWebKey{Key: k.private, KeyID: k.record.ID},
	}, options)
}

// withoutPrivateKey returns the record without the private part of the key.
func (k *key) withoutPrivateKey(w *wrapper) storage.Key {
	record := k.record
	record.Wrapped = w.wrap(record, nil)
	return record
}

// sameKey reports whether record has the same key as k, so that it need not be parsed again. Its times may differ.
func (k *key) sameKey(record storage.Key) bool {
	return k.record.Use == record.Use &&
		k.record.Alg == record.Alg &&
		bytes.Equal(k.record.Wrapped, record.Wrapped) &&
		bytes.Equal(k.record.Public, record.Public)
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails (crypto/rand)
	return b
}
