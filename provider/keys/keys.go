// Package keys owns every key of the provider: the ones that sign tokens, the ones that seal codes and handles, and the
// ones from which refresh tokens and pairwise subjects are derived. It makes them at first start, wraps what is secret
// under a key in a file outside the store, replaces them in time, and keeps them parsed and ready in memory.
//
//	store row ──▶ unwrap ──▶ parse ──▶ snapshot (swapped as a whole) ──▶ Sign, JWKS, VerifyHint, Seal, Open, Successor
//
// A key goes one way, and its state follows from the times in its row:
//
//	pending ──▶ active ──▶ retired ──▶ archived ──▶ gone
//
//	pending   published, signs nothing yet: relying parties get to know it first
//	active    signs
//	retired   published, signs no more; its private part is destroyed
//	archived  not published; still verifies ID tokens that come back as hints
//	gone      counts for nothing
//
// Sealing keys open what they sealed until they are gone. A row that was not written with the key file's key, or was
// altered or swapped with another, is refused by [Load].
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
	UseSign     = "sig"      // signs; one per algorithm is active
	UseSeal     = "seal"     // seals what travels through browsers
	UseRefresh  = "refresh"  // derives the successor of a refresh token
	UsePairwise = "pairwise" // derives pairwise subjects; never replaced
)

// The algorithms that keys are made for.
const (
	RS256 = string(jose.RS256)
	PS256 = string(jose.PS256)
	ES256 = string(jose.ES256)
	EdDSA = string(jose.EdDSA)
)

// sealingKeyRetention is how long a replaced sealing key is kept: as long as the longest thing it sealed lives, which
// is a cookie, and no browser keeps one for more than 400 days.
const sealingKeyRetention = 400 * 24 * time.Hour

// Config is what a Ring needs. Zero durations mean the default.
type Config struct {
	Store      storage.Keys
	File       string   // the key file; made at first start
	Issuer     string   // the iss of our tokens
	Algorithms []string // default RS256 and ES256
	RSABits    int      // of new RSA keys, default 2048

	PendingPeriod    time.Duration // published before it signs: longer than relying parties cache the JWKS; default 24 h
	RotateAfter      time.Duration // a key is replaced at this age; 0: by command only
	MaxTokenLifetime time.Duration // of the longest-lived token that resource servers or relying parties check, and clock skew; default 1 h
	HintLifetime     time.Duration // an ID token is of use as a hint for this long after its key left the JWKS; default 60 d

	Now func() time.Time // nil: time.Now
}

// Ring holds the keys. It is safe for concurrent use.
type Ring struct {
	cfg      Config
	wrapper  *wrapper
	updateMu sync.Mutex // one change at a time
	current  atomic.Pointer[snapshot]
}

// Load reads all keys, and makes those that are missing. It makes the key file if there is none and the store has no
// keys yet. Its error names every row that cannot be used.
func Load(ctx context.Context, cfg Config) (*Ring, error) {
	if len(cfg.Algorithms) == 0 {
		cfg.Algorithms = []string{RS256, ES256}
	}
	cfg.RSABits = cmp.Or(cfg.RSABits, 2048)
	cfg.PendingPeriod = cmp.Or(cfg.PendingPeriod, 24*time.Hour)
	cfg.MaxTokenLifetime = cmp.Or(cfg.MaxTokenLifetime, time.Hour)
	cfg.HintLifetime = cmp.Or(cfg.HintLifetime, 60*24*time.Hour)
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
	r := &Ring{cfg: cfg, wrapper: w}
	if err := r.Maintain(ctx, cfg.Now()); err != nil {
		return nil, err
	}
	return r, nil
}

// Algorithms are those that Sign takes.
func (r *Ring) Algorithms() []string { return slices.Clone(r.cfg.Algorithms) }

// List is every key, of each algorithm the oldest first, without its secret, with its state at that moment.
func (r *Ring) List(at time.Time) []Info {
	var all []Info
	for _, k := range r.current.Load().keys {
		record := k.record
		record.Wrapped = nil
		all = append(all, Info{record, StateOf(record, at)})
	}
	return all
}

// Info is a key as the API and the command line show it.
type Info struct {
	storage.Key
	State State `json:"state"`
}

// Random is a new secret: 256 random bits in base64url (43 characters) after prefix.
func Random(prefix string) string {
	var b [32]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return prefix + base64.RawURLEncoding.EncodeToString(b[:])
}
