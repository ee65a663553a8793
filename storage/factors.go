package storage

import (
	"context"
	"slices"
	"time"
)

// Factors are a user's authenticators other than the password. The zero value has none.
type Factors struct {
	Subject         string              `json:"sub"`
	Passkeys        []Passkey           `json:"passkeys,omitempty"`
	TOTP            *TOTP               `json:"totp,omitempty"`
	RecoveryCodes   []Hash              `json:"recovery_codes,omitempty"` // hashes of the unused codes
	RecoveryCreated time.Time           `json:"recovery_created,omitzero"`
	Browsers        []RememberedBrowser `json:"remembered_browsers,omitempty"`
	Revision        uint64              `json:"revision"` // counts writes; 0: the factors are not stored yet
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
	Wrapped  []byte    `json:"wrapped"`             // the secret, wrapped
	LastStep int64     `json:"last_step,omitempty"` // time step of the code that was used last
	Created  time.Time `json:"created"`
	LastUsed time.Time `json:"last_used,omitzero"`
}

// RememberedBrowser is a browser that needs no second factor until Expires.
type RememberedBrowser struct {
	SecretHash Hash      `json:"secret_hash"` // of the secret in the browser's cookie
	Created    time.Time `json:"created"`
	Expires    time.Time `json:"expires"`
	UserAgent  string    `json:"user_agent,omitempty"`
}

// The largest numbers of passkeys and remembered browsers of one user.
const (
	MaxPasskeys           = 20
	maxRememberedBrowsers = 10
)

// Passkey returns a pointer to the passkey with that credential ID, or nil.
func (f *Factors) Passkey(id []byte) *Passkey {
	for i := range f.Passkeys {
		if slices.Equal(f.Passkeys[i].ID, id) {
			return &f.Passkeys[i]
		}
	}
	return nil
}

// HasSecondFactor reports whether the user has a second factor. Recovery codes are not one: they only replace another
// factor that is lost.
func (f *Factors) HasSecondFactor() bool { return f.TOTP != nil || len(f.Passkeys) > 0 }

// UseTOTP records that the code of a time step was used. created is TOTP.Created of the secret that the code was
// checked with. ErrNotFound: the user no longer has that authenticator app. ErrAlreadyUsed: the code of this time step
// or of a later one was used before (RFC 6238 §5.2).
func (f *Factors) UseTOTP(created time.Time, step int64, at time.Time) error {
	switch {
	case f.TOTP == nil || !f.TOTP.Created.Equal(created):
		return ErrNotFound
	case step <= f.TOTP.LastStep:
		return ErrAlreadyUsed
	}
	totp := *f.TOTP
	totp.LastStep = step
	totp.LastUsed = at
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

// UsePasskey records a use of a passkey, with the counter and the backup state that the authenticator sent.
// ErrNotFound: the user has no such passkey. ErrAlreadyUsed: the counter is not above the stored one, which shows a
// copy of the passkey (Web Authentication Level 3 §7.2 step 22). Authenticators without a counter send 0.
func (f *Factors) UsePasskey(id []byte, signCount uint32, backedUp bool, at time.Time) error {
	passkey := f.Passkey(id)
	if passkey == nil {
		return ErrNotFound
	}
	hasCounter := signCount != 0 || passkey.SignCount != 0
	if hasCounter && signCount <= passkey.SignCount {
		return ErrAlreadyUsed
	}
	passkey.SignCount = signCount
	passkey.BackedUp = backedUp
	passkey.LastUsed = at
	return nil
}

// RememberBrowser adds a browser. It removes expired ones and, if there are too many, the oldest.
func (f *Factors) RememberBrowser(b RememberedBrowser) {
	kept := slices.DeleteFunc(slices.Clone(f.Browsers), func(old RememberedBrowser) bool {
		return !b.Created.Before(old.Expires)
	})
	kept = append(kept, b)
	f.Browsers = kept[max(0, len(kept)-maxRememberedBrowsers):]
}

// Remembers reports whether a browser with that secret is remembered and has not expired.
func (f *Factors) Remembers(secret Hash, at time.Time) bool {
	return slices.ContainsFunc(f.Browsers, func(b RememberedBrowser) bool {
		return b.SecretHash == secret && at.Before(b.Expires)
	})
}

// ForgetBrowsers removes all remembered browsers: sign-ins with them need the second factor again.
func (f *Factors) ForgetBrowsers() { f.Browsers = nil }

// FactorStore stores the factors of users, one record for each user. Changes that end sessions go through EndSessions.
type FactorStore interface {
	// Factors returns a user's factors. If the user has none, it returns the zero value with Subject.
	Factors(ctx context.Context, subject string) (Factors, error)
	// ChangeFactors reads a user's factors, passes them to change, and stores them with the audit lines, in one
	// transaction. change may change the factors in place; it is pure and may run twice. If it returns an error,
	// ChangeFactors stores nothing and returns that error unchanged. ErrRevoked: the user is unknown or disabled.
	ChangeFactors(ctx context.Context, subject string, change func(*Factors) error, e ...Event) error
}
