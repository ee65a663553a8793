// Package password hashes and verifies passwords ([Hasher]) and refuses weak ones when they are chosen ([Rules]). It
// knows neither users nor attempts: package authn limits the attempts and counts each before anything is hashed.
//
// Any character counts and none is cut off. Passwords are compared as RFC 8265 says (prepare.go).
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

// MaxBytes is the longest password that is accepted. Longer ones are refused before hashing, never cut.
const MaxBytes = 1024

// The errors of a Hasher. Callers test them with errors.Is.
var (
	// ErrBusy: too many passwords are being hashed; it is worth trying again (503).
	ErrBusy = errors.New("too many passwords at once")
	// ErrTooLong: the password has more than MaxBytes (400).
	ErrTooLong = fmt.Errorf("password longer than %d bytes", MaxBytes)
	// ErrMalformed: the stored hash cannot be read.
	ErrMalformed = errors.New("malformed password hash")
)

// Cost is what one argon2id hash takes (RFC 9106).
type Cost struct {
	Memory  uint32 // KiB
	Time    uint32 // passes
	Threads uint8
}

// defaultCost takes about 20 ms and 19 MiB.
var defaultCost = Cost{Memory: 19 << 10, Time: 2, Threads: 1}

// The bounds within which a stored hash is believed: a damaged record must not take all memory or time.
var maxCost = Cost{Memory: 1 << 20, Time: 64, Threads: 16}

const (
	saltBytes = 16
	hashBytes = 32
)

// Hasher hashes and verifies passwords, as many at a time as there are cores. It is safe for concurrent use.
type Hasher struct {
	cost      Cost
	queue     queue
	dummyHash string
}

// NewHasher makes a Hasher. A zero cost means the default: 19 MiB, 2 passes, 1 thread.
func NewHasher(cost Cost) *Hasher {
	if cost == (Cost{}) {
		cost = defaultCost
	}
	return &Hasher{
		cost:  cost,
		queue: queue{free: runtime.GOMAXPROCS(0)},
		// Random bits: no password has this hash.
		dummyHash: encodePHC(cost, randomBytes(saltBytes), randomBytes(hashBytes)),
	}
}

// Hash makes the PHC string under which password is stored. ErrTooLong, ErrBusy.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	salt := randomBytes(saltBytes)
	sum, err := h.derive(ctx, prepare(password), h.cost, salt, hashBytes, KnownDevice)
	if err != nil {
		return "", err
	}
	return encodePHC(h.cost, salt, sum), nil
}

// Verify reports whether stored is the hash of password, and if so whether it should be stored anew because it was
// made at another cost or of the password as it was sent. An empty stored stands for an unknown user, or one without
// a password: it costs the same and never verifies. ErrTooLong, ErrBusy, ErrMalformed.
func (h *Hasher) Verify(ctx context.Context, stored, password string, priority Priority) (ok, rehash bool, err error) {
	if stored == "" {
		stored = h.dummyHash
	}
	cost, salt, want, err := parsePHC(stored)
	if err != nil {
		return false, false, err
	}
	prepared := prepare(password)
	got, err := h.derive(ctx, prepared, cost, salt, len(want), priority)
	if err != nil {
		return false, false, err
	}
	if subtle.ConstantTimeCompare(got, want) == 1 {
		return true, cost != h.cost, nil
	}
	if prepared == password {
		return false, false, nil
	}
	// The hash may be of the password as it was sent then.
	got, err = h.derive(ctx, password, cost, salt, len(want), priority)
	if err != nil {
		return false, false, err
	}
	ok = subtle.ConstantTimeCompare(got, want) == 1
	return ok, ok, nil
}

// derive waits for its turn and computes a hash.
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

// The PHC string format: $argon2id$v=19$m=19456,t=2,p=1$salt$hash, unpadded base64.
var phcBase64 = base64.RawStdEncoding.Strict()

func encodePHC(c Cost, salt, sum []byte) string {
	return fmt.Sprintf(
		"$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s",
		argon2.Version,
		c.Memory,
		c.Time,
		c.Threads,
		phcBase64.EncodeToString(salt),
		phcBase64.EncodeToString(sum),
	)
}

func parsePHC(stored string) (c Cost, salt, sum []byte, err error) {
	fields := strings.Split(stored, "$")
	if len(fields) != 6 || fields[0] != "" || fields[1] != "argon2id" ||
		fields[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return c, nil, nil, ErrMalformed
	}
	if _, err := fmt.Sscanf(fields[3], "m=%d,t=%d,p=%d", &c.Memory, &c.Time, &c.Threads); err != nil ||
		fields[3] != fmt.Sprintf("m=%d,t=%d,p=%d", c.Memory, c.Time, c.Threads) ||
		c.Memory > maxCost.Memory || c.Time < 1 || c.Time > maxCost.Time || c.Threads < 1 || c.Threads > maxCost.Threads {
		return c, nil, nil, ErrMalformed
	}
	salt, saltErr := phcBase64.DecodeString(fields[4])
	sum, sumErr := phcBase64.DecodeString(fields[5])
	if saltErr != nil || sumErr != nil || len(salt) < 8 || len(sum) < 16 || len(sum) > 64 {
		return c, nil, nil, ErrMalformed
	}
	return c, salt, sum, nil
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails (crypto/rand)
	return b
}
