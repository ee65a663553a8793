// Package keys owns all keys of the provider. Signing keys sign tokens. Sealing keys encrypt codes and interactions.
// Derivation keys derive refresh tokens and pairwise subjects. The package makes the keys at the first start, encrypts
// them under a key in a file outside the store, rotates them, and keeps them parsed in memory.
//
//	store ──▶ unwrap ──▶ parse ──▶ snapshot, replaced as a whole ──▶ Sign, JWKS, VerifyHint, Seal, Open, Pairwise
//
// The times in a key's record give its state. The states follow one another:
//
//	pending ──▶ active ──▶ retired ──▶ archived ──▶ gone
//
//	pending   published, but does not sign yet, so that relying parties can fetch it before
//	active    signs
//	retired   published, but no longer signs; its private part is destroyed
//	archived  no longer published; still verifies ID tokens that clients send as hints
//	gone      no longer used; its record is removed
//
// A sealing key that was replaced still opens the values that it has sealed, until it is gone. [Load] refuses a record
// that was not written with the key of the key file, was altered, or was swapped with another.
package keys

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/curfew-id/curfew/storage"
)

// The uses of keys.
const (
	UseSign     = "sig"      // signs tokens; one key for each algorithm is active
	UseSeal     = "seal"     // seals codes, interactions and cookies
	UseRefresh  = "refresh"  // derives the refresh token that follows another
	UsePairwise = "pairwise" // derives pairwise subjects; never replaced
)

// The algorithms that keys are made for.
const (
	RS256 = string(jose.RS256)
	PS256 = string(jose.PS256)
	ES256 = string(jose.ES256)
	EdDSA = string(jose.EdDSA)
)

// sealingKeyRetention is how long a replaced sealing key is kept: as long as the cookies that it has sealed. Browsers
// keep cookies for at most 400 days.
const sealingKeyRetention = 400 * 24 * time.Hour

// Config has the dependencies and settings of a Ring. Zero durations mean the default.
type Config struct {
	Store      Store
	File       string   // the key file; created at the first start
	Issuer     string   // the iss of the provider's tokens
	Algorithms []string // default RS256 and ES256
	RSABits    int      // of new RSA keys, default 2048

	// PendingPeriod is how long a key is published before it signs. It must be longer than relying parties cache the
	// JWKS. Default 24 h.
	PendingPeriod time.Duration
	// RotateAfter is the age at which a key is replaced; 0: only by command.
	RotateAfter time.Duration
	// MaxTokenLifetime is how long a retired key stays published: the lifetime of the longest-lived token that resource
	// servers or relying parties verify, and the clock skew. Default 1 h.
	MaxTokenLifetime time.Duration
	// HintLifetime is how long a key that is no longer published still verifies ID tokens that clients send as hints.
	// Default 60 days.
	HintLifetime time.Duration
	// Interval is the time between two calls of Maintain by Run. A replica loads the changes by other replicas at most
	// so much later. 0: a minute.
	Interval time.Duration

	Now func() time.Time // nil: time.Now
}

// Store is the part of a store that a Ring uses.
type Store interface {
	storage.Keys
	SetAuditKey(key storage.AuditKey)
}

// Ring has the keys of one provider. It is safe for concurrent use.
type Ring struct {
	cfg      Config
	wrapper  *wrapper
	updateMu sync.Mutex // held during a change of the keys
	current  atomic.Pointer[snapshot]
	verified verifiedTokens
}

// Load reads all keys and makes the missing ones. If the key file does not exist and the store has no keys, Load
// creates the key file. The error names every record that cannot be used.
func Load(ctx context.Context, cfg Config) (*Ring, error) {
	if len(cfg.Algorithms) == 0 {
		cfg.Algorithms = []string{RS256, ES256}
	}
	cfg.RSABits = cmp.Or(cfg.RSABits, 2048)
	cfg.PendingPeriod = cmp.Or(cfg.PendingPeriod, 24*time.Hour)
	cfg.MaxTokenLifetime = cmp.Or(cfg.MaxTokenLifetime, time.Hour)
	cfg.HintLifetime = cmp.Or(cfg.HintLifetime, 60*24*time.Hour)
	cfg.Interval = cmp.Or(cfg.Interval, time.Minute)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	records, err := cfg.Store.ListKeys(ctx)
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	w, err := openKeyFile(cfg.File, len(records) == 0)
	if err != nil {
		return nil, err
	}
	cfg.Store.SetAuditKey(w.audit) // before the first change, so that every line of the trail has a MAC
	r := &Ring{cfg: cfg, wrapper: w, verified: newVerifiedTokens()}
	if err := r.Maintain(ctx, cfg.Now()); err != nil {
		return nil, err
	}
	return r, nil
}

// Algorithms returns the algorithms that Sign can use.
func (r *Ring) Algorithms() []string { return slices.Clone(r.cfg.Algorithms) }

// List returns all keys without their secrets, with their state at a time. It sorts them by algorithm and age, the
// oldest first.
func (r *Ring) List(at time.Time) []Info {
	var all []Info
	for _, k := range r.current.Load().keys {
		record := k.record
		record.Wrapped = nil
		all = append(all, Info{record, StateOf(record, at)})
	}
	return all
}

// Info is a key without its secret, with its state.
type Info struct {
	storage.Key
	State State `json:"state"`
}

// Random returns 256 random bits in base64url (43 characters), for secrets and for ids that nobody can guess.
func Random() string { return RandomWithPrefix("") }

// RandomWithPrefix returns prefix and then Random. The prefix shows what kind of secret a text is.
func RandomWithPrefix(prefix string) string {
	var b [32]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return prefix + base64.RawURLEncoding.EncodeToString(b[:])
}
