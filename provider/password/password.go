// Package password hashes and verifies passwords ([Hasher]) and refuses weak new ones ([Rules]). It does not depend on
// users or attempts: package authn counts and limits attempts before it calls a Hasher.
//
// Passwords may have any character and are never truncated. They are compared in the form of RFC 8265 (prepare.go).
package password

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"golang.org/x/crypto/argon2"
)

// MaxBytes is the maximum length of a password, in bytes. A longer password is refused, not truncated.
const MaxBytes = 1024

// The errors of a Hasher. Callers test them with errors.Is.
var (
	// ErrBusy means that too many passwords are being hashed; the caller may try again (503).
	ErrBusy = errors.New("too many passwords at once")
	// ErrTooLong means that the password has more than MaxBytes (400).
	ErrTooLong = fmt.Errorf("password longer than %d bytes", MaxBytes)
	// ErrMalformed means that the stored hash cannot be parsed.
	ErrMalformed = errors.New("malformed password hash")
)

// Cost is the cost of one argon2id hash (RFC 9106).
type Cost struct {
	Memory  uint32 // KiB
	Time    uint32 // passes
	Threads uint8
}

// defaultCost takes about 20 ms and 19 MiB.
var defaultCost = Cost{Memory: 19 << 10, Time: 2, Threads: 1}

// maxCost limits the cost of a stored hash: a damaged record must not take all memory or CPU.
var maxCost = Cost{Memory: 1 << 20, Time: 64, Threads: 16}

const (
	saltBytes = 16
	hashBytes = 32
)

// The lengths that a stored hash may have, in bytes.
const (
	minSaltBytes = 8
	minHashBytes = 16
	maxHashBytes = 64
)

// Hasher hashes and verifies passwords. It runs as many hashes at a time as there are cores. It is safe for concurrent
// use.
type Hasher struct {
	cost      Cost
	queue     queue
	dummyHash string // verified instead of the hash of a user who does not exist or has no password
}

// NewHasher returns a Hasher. A zero cost means the default: 19 MiB, 2 passes, 1 thread.
func NewHasher(cost Cost) *Hasher {
	if cost == (Cost{}) {
		cost = defaultCost
	}
	return &Hasher{
		cost:  cost,
		queue: queue{free: runtime.GOMAXPROCS(0)},
		// The bits are random, so no known password has this hash.
		dummyHash: encodePHC(cost, randomBytes(saltBytes), randomBytes(hashBytes)),
	}
}

// Hash returns the PHC string to store for password. Its errors include ErrTooLong and ErrBusy.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	salt := randomBytes(saltBytes)
	sum, err := h.derive(ctx, prepare(password), h.cost, salt, hashBytes, KnownDevice)
	if err != nil {
		return "", err
	}
	return encodePHC(h.cost, salt, sum), nil
}

// Verify reports whether stored is the hash of password (ok). rehash reports whether password should be hashed and
// stored again: stored has another cost, or was made without prepare. An empty stored stands for an unknown user or a
// user without a password; it takes as long to verify and never matches. The errors include ErrTooLong, ErrBusy and
// ErrMalformed.
func (h *Hasher) Verify(ctx context.Context, stored, password string, priority Priority) (ok, rehash bool, err error) {
	if stored == "" {
		stored = h.dummyHash
	}
	cost, salt, storedSum, err := parsePHC(stored)
	if err != nil {
		return false, false, err
	}
	prepared := prepare(password)
	sum, err := h.derive(ctx, prepared, cost, salt, len(storedSum), priority)
	if err != nil {
		return false, false, err
	}
	if subtle.ConstantTimeCompare(sum, storedSum) == 1 {
		return true, cost != h.cost, nil
	}
	if prepared == password {
		return false, false, nil
	}
	// The stored hash may have been made without prepare.
	sum, err = h.derive(ctx, password, cost, salt, len(storedSum), priority)
	if err != nil {
		return false, false, err
	}
	ok = subtle.ConstantTimeCompare(sum, storedSum) == 1
	rehash = ok
	return ok, rehash, nil
}

// derive waits in the queue and then computes a hash of length bytes.
func (h *Hasher) derive(
	ctx context.Context,
	password string,
	cost Cost,
	salt []byte,
	length int,
	priority Priority,
) ([]byte, error) {
	if len(password) > MaxBytes {
		return nil, ErrTooLong
	}
	if err := h.queue.acquire(ctx, priority); err != nil {
		return nil, err
	}
	defer h.queue.release()
	return argon2.IDKey([]byte(password), salt, cost.Time, cost.Memory, cost.Threads, uint32(length)), nil
}

// phcBase64 is the base64 of PHC strings, without padding.
var phcBase64 = base64.RawStdEncoding.Strict()

// phcPrefix begins every stored hash: the algorithm and its version.
var phcPrefix = fmt.Sprintf("$argon2id$v=%d$", argon2.Version)

// encodePHC returns the PHC string, such as $argon2id$v=19$m=19456,t=2,p=1$salt$hash.
func encodePHC(cost Cost, salt, sum []byte) string {
	return phcPrefix + encodeCost(cost) + "$" + phcBase64.EncodeToString(salt) + "$" + phcBase64.EncodeToString(sum)
}

func encodeCost(cost Cost) string {
	return fmt.Sprintf("m=%d,t=%d,p=%d", cost.Memory, cost.Time, cost.Threads)
}

// parsePHC parses a result of encodePHC.
func parsePHC(stored string) (cost Cost, salt, sum []byte, err error) {
	rest, hasPrefix := strings.CutPrefix(stored, phcPrefix)
	fields := strings.Split(rest, "$")
	if !hasPrefix || len(fields) != 3 {
		return cost, nil, nil, ErrMalformed
	}
	cost, err = parseCost(fields[0])
	if err != nil {
		return cost, nil, nil, err
	}
	salt, err = phcBase64.DecodeString(fields[1])
	if err != nil || len(salt) < minSaltBytes {
		return cost, nil, nil, ErrMalformed
	}
	sum, err = phcBase64.DecodeString(fields[2])
	if err != nil || len(sum) < minHashBytes || len(sum) > maxHashBytes {
		return cost, nil, nil, ErrMalformed
	}
	return cost, salt, sum, nil
}

func parseCost(text string) (cost Cost, err error) {
	_, err = fmt.Sscanf(text, "m=%d,t=%d,p=%d", &cost.Memory, &cost.Time, &cost.Threads)
	if err != nil || encodeCost(cost) != text { // Sscanf accepts texts that encodeCost does not write
		return cost, ErrMalformed
	}
	tooSmall := cost.Time < 1 || cost.Threads < 1
	tooLarge := cost.Memory > maxCost.Memory || cost.Time > maxCost.Time || cost.Threads > maxCost.Threads
	if tooSmall || tooLarge {
		return cost, ErrMalformed
	}
	return cost, nil
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails (crypto/rand)
	return b
}
