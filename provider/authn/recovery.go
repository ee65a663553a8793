package authn

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// RecoveryCodes authenticates by a recovery code, which a user who has lost the second factor can use instead of it.
// Each code can be used once.
type RecoveryCodes struct {
	Store   FactorStore
	Limiter Limiter
}

const (
	recoveryCodeCount = 10
	recoveryCodeBytes = 10 // 80 random bits: such a code can be stored as a plain hash
)

// NewRecoveryCodes makes a set of recovery codes for a user. It returns the codes, which the user must see once, and
// their hashes, which are stored.
func NewRecoveryCodes(subject string) (codes []string, hashes []storage.Hash) {
	for range recoveryCodeCount {
		random := make([]byte, recoveryCodeBytes)
		_, _ = rand.Read(random) // never fails
		code := strings.ToLower(base32.StdEncoding.EncodeToString(random))
		codes = append(codes, code[:4]+"-"+code[4:8]+"-"+code[8:12]+"-"+code[12:])
		hashes = append(hashes, recoveryHash(subject, code))
	}
	return codes, hashes
}

// recoveryHash returns the hash under which a code is stored. It ignores case, spaces and hyphens.
func recoveryHash(subject, code string) storage.Hash {
	code = strings.ToLower(strings.NewReplacer("-", "", " ", "", "\t", "").Replace(code))
	return storage.HashOf("recovery code\x00" + subject + "\x00" + code)
}

// Method returns "recovery".
func (c *RecoveryCodes) Method() string { return "recovery" }

// Label returns the message key of the link to the page.
func (c *RecoveryCodes) Label() string { return "code.use_recovery" }

// Usable reports whether the user has unused recovery codes and they meet acr.
func (c *RecoveryCodes) Usable(f storage.Factors, acr string) bool {
	return len(f.RecoveryCodes) > 0 && f.HasSecondFactor() && Meets(ACRMultiFactor, acr)
}

// Page returns the page that asks for a recovery code. It does not offer to remember the browser.
func (c *RecoveryCodes) Page(_ context.Context, prompt Prompt) (func(io.Writer) error, error) {
	prompt.RememberDays = 0
	const recovery = true
	return codePage(prompt, recovery), nil
}

// Authenticate checks a recovery code and uses it up.
func (c *RecoveryCodes) Authenticate(ctx context.Context, attempt Attempt) (Authentication, error) {
	user, err := c.Store.User(ctx, attempt.User.Subject)
	if err != nil {
		return Authentication{}, err
	}
	err = checkLimited(ctx, c.Limiter, attempt, func() error {
		return c.useCode(ctx, user.Subject, attempt.Form.Get(FieldCode), attempt)
	})
	if err != nil {
		return Authentication{}, err
	}
	return Authentication{
		User:     user,
		AuthTime: attempt.At,
		Sequence: attempt.Sequence,
		AMR:      []string{amrOneTimeCode},
		ACR:      ACRPassword, // of this method alone; with the first factor it becomes ACRMultiFactor
	}, nil
}

func (c *RecoveryCodes) useCode(ctx context.Context, subject, code string, attempt Attempt) error {
	factors, err := c.Store.Factors(ctx, subject)
	if err != nil {
		return err
	}
	event := FactorEvent(attempt.At, EventRecoveryUsed, subject, attempt.Address, "recovery")
	remainingAfterUse := max(0, len(factors.RecoveryCodes)-1)
	event.Detail["left"] = strconv.Itoa(remainingAfterUse) // written only if the code is right
	use := func(f *storage.Factors) error { return f.UseRecoveryCode(recoveryHash(subject, code)) }
	err = c.Store.ChangeFactors(ctx, subject, use, event)
	isUnknownCode := errors.Is(err, storage.ErrNotFound)
	isUserDisabled := errors.Is(err, storage.ErrRevoked) // or removed, meanwhile
	if isUnknownCode || isUserDisabled {
		return wrongCode(subject, "wrong recovery code")
	}
	return err
}

// Recheck returns storage.ErrRevoked if the user was disabled or the password changed since Authenticate read the user.
func (c *RecoveryCodes) Recheck(ctx context.Context, a Authentication) error {
	return recheckUser(ctx, c.Store, a)
}

// Replace replaces the recovery codes in f by new ones and returns the new codes.
func (c *RecoveryCodes) Replace(f *storage.Factors, at time.Time) []string {
	codes, hashes := NewRecoveryCodes(f.Subject)
	f.RecoveryCodes = hashes
	f.RecoveryCreated = at.UTC().Truncate(time.Millisecond)
	return codes
}
