package storage

import (
	"context"
	"slices"
	"time"
)

// Factors are the ways in which a user can prove who they are, besides the password. The zero value has none.
type Factors struct {
	Subject         string              `json:"sub"`
	Passkeys        []Passkey           `json:"passkeys,omitempty"`
	TOTP            *TOTP               `json:"totp,omitempty"`
	RecoveryCodes   []Hash              `json:"recovery_codes,omitempty"` // the unused ones
	RecoveryCreated time.Time           `json:"recovery_created,omitzero"`
	Browsers        []RememberedBrowser `json:"remembered_browsers,omitempty"`
	Revision        uint64              `json:"revision"` // counts writes; 0 is a user whose factors were never stored
}

// Passkey is a WebAuthn credential (Web Authentication Level 3 §4, credential record).
type Passkey struct {
	ID             []byte    `json:"id"` // the credential ID
	Name           string    `json:"name"`
	PublicKey      []byte    `json:"public_key"` // COSE
	Attestation    string    `json:"attestation,omitempty"`
	AAGUID         []byte    `json:"aaguid,omitempty"`
	Transports     []string  `json:"transports,omitempty"`
	SignCount      uint32    `json:"sign_count,omitempty"`
	BackupEligible bool      `json:"backup_eligible,omitempty"`
	BackedUp       bool      `json:"backed_up,omitempty"`
	Created        time.Time `json:"created"`
	LastUsed       time.Time `json:"last_used,omitzero"`
}

// TOTP is the secret of an authenticator app (RFC 6238).
type TOTP struct {
	Wrapped  []byte    `json:"wrapped"` // sealed by the key file's key
	LastStep int64     `json:"last_step,omitempty"`
	Created  time.Time `json:"created"`
	LastUsed time.Time `json:"last_used,omitzero"`
}

// RememberedBrowser is a browser that is not asked for the second factor until Expires.
type RememberedBrowser struct {
	SecretHash Hash      `json:"secret_hash"` // of the cookie's secret
	Created    time.Time `json:"created"`
	Expires    time.Time `json:"expires"`
	UserAgent  string    `json:"user_agent,omitempty"`
}

// The most passkeys and remembered browsers that one user can have.
const (
	MaxPasskeys           = 20
	maxRememberedBrowsers = 10
)

// Passkey returns the passkey with that credential ID, nil if the user has none.
func (f *Factors) Passkey(id []byte) *Passkey {
	for i := range f.Passkeys {
		if slices.Equal(f.Passkeys[i].ID, id) {
			return &f.Passkeys[i]
		}
	}
	return nil
}

// HasSecondFactor reports whether the user can answer a question for a second factor. Recovery codes alone are none:
// they stand in for another factor.
func (f *Factors) HasSecondFactor() bool { return f.TOTP != nil || len(f.Passkeys) > 0 }

// UseTOTP records that the code of a time step was used. ErrNotFound: the user has no authenticator app, or another one
// than created then. ErrAlreadyUsed: this code or a later one was used (RFC 6238 §5.2).
func (f *Factors) UseTOTP(created time.Time, step int64, at time.Time) error {
	switch {
	case f.TOTP == nil || !f.TOTP.Created.Equal(created):
		return ErrNotFound
	case step <= f.TOTP.LastStep:
		return ErrAlreadyUsed
	}
	totp := *f.TOTP
	totp.LastStep, totp.LastUsed = step, at
	f.TOTP = &totp
	return nil
}

// UseRecoveryCode removes a recovery code. ErrNotFound: the code is unknown or already used.
func (f *Factors) UseRecoveryCode(code Hash) error {
	i := slices.Index(f.RecoveryCodes, code)
	if i < 0 {
		return ErrNotFound
	}
	f.RecoveryCodes = slices.Delete(slices.Clone(f.RecoveryCodes), i, i+1)
	return nil
}

// UsePasskey records a use of a passkey with what the authenticator said. ErrNotFound: the user has no such passkey.
// ErrAlreadyUsed: the sign counter is not above the stored one, which shows a copy of the passkey (Web Authentication
// Level 3 §7.2 step 22). Authenticators without a counter send 0.
func (f *Factors) UsePasskey(id []byte, signCount uint32, backedUp bool, at time.Time) error {
	passkey := f.Passkey(id)
	switch {
	case passkey == nil:
		return ErrNotFound
	case (signCount != 0 || passkey.SignCount != 0) && signCount <= passkey.SignCount:
		return ErrAlreadyUsed
	}
	passkey.SignCount, passkey.BackedUp, passkey.LastUsed = signCount, backedUp, at
	return nil
}

// RememberBrowser adds a browser. The oldest goes where there would be too many.
func (f *Factors) RememberBrowser(b RememberedBrowser) {
	kept := slices.DeleteFunc(slices.Clone(f.Browsers), func(old RememberedBrowser) bool {
		return !b.Created.Before(old.Expires)
	})
	kept = append(kept, b)
	f.Browsers = kept[max(0, len(kept)-maxRememberedBrowsers):]
}

// Remembers reports whether a browser with that secret was remembered and its time is not over.
func (f *Factors) Remembers(secret Hash, at time.Time) bool {
	return slices.ContainsFunc(f.Browsers, func(b RememberedBrowser) bool {
		return b.SecretHash == secret && at.Before(b.Expires)
	})
}

// ForgetBrowsers makes every browser ask for the second factor again.
func (f *Factors) ForgetBrowsers() { f.Browsers = nil }

// FactorStore stores the factors of users, one record for each user. Changes that end sessions go through EndSessions.
type FactorStore interface {
	// Factors returns a user's factors; without any, the zero value with Subject.
	Factors(ctx context.Context, subject string) (Factors, error)
	// ChangeFactors reads a user's factors, calls change, which may change them in place, and stores them with the
	// audit lines, in one transaction. change is pure and may run twice; its error is returned as it is, with nothing
	// stored. ErrRevoked: the user is unknown or disabled.
	ChangeFactors(ctx context.Context, subject string, change func(*Factors) error, e ...Event) error
}
