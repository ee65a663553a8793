package authn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"

	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// FieldCode is the field of the forms that ask for a one-time code.
const FieldCode = "code"

const (
	totpPeriod = 30 // seconds (RFC 6238 §5.2)
	totpWindow = 1  // codes of so many time steps before and after the current one are accepted (RFC 6238 §6)
)

// SecretWrapper encrypts the secrets of authenticator apps with the key of the key file (provider/keys).
type SecretWrapper interface {
	WrapTOTP(subject string, secret []byte) ([]byte, error)
	UnwrapTOTP(subject string, wrapped []byte) ([]byte, error)
}

// TOTP authenticates by a code of an authenticator app (RFC 6238), as the second factor.
type TOTP struct {
	Store   FactorStore
	Secrets SecretWrapper
	Limiter Limiter
	Issuer  string // the name of this provider in the app
	Notify  Notify
}

// Method returns "totp".
func (t *TOTP) Method() string { return "totp" }

// Label returns the key of the text of the link to the page.
func (t *TOTP) Label() string { return "code.use_app" }

// Usable reports whether the user has an authenticator app and it meets acr.
func (t *TOTP) Usable(f storage.Factors, acr string) bool {
	return f.TOTP != nil && Meets(ACRMultiFactor, acr)
}

// Page returns the page that asks for the code.
func (t *TOTP) Page(_ context.Context, prompt Prompt) (func(io.Writer) error, error) {
	const recovery = false
	return codePage(prompt, recovery), nil
}

// codePage returns the page that asks for a recovery code or, without recovery, for a code of an authenticator app.
func codePage(prompt Prompt, recovery bool) func(io.Writer) error {
	page := templates.CodePage{
		Page:            prompt.Page,
		Action:          prompt.Action,
		Interaction:     prompt.Interaction,
		Application:     prompt.Application,
		Recovery:        recovery,
		RememberDays:    prompt.RememberDays,
		Problem:         prompt.Problem,
		OtherAccountURL: prompt.OtherAccountURL,
		CancelURL:       prompt.CancelURL,
		OtherMethods:    prompt.OtherMethods,
	}
	return func(w io.Writer) error { return templates.Code(w, page) }
}

// Authenticate checks a code and uses it up.
func (t *TOTP) Authenticate(ctx context.Context, attempt Attempt) (Authentication, error) {
	user, err := t.Store.User(ctx, attempt.User.Subject)
	if err != nil {
		return Authentication{}, err
	}
	err = checkLimited(ctx, t.Limiter, attempt, func() error {
		return t.useCode(ctx, user.Subject, attempt.Form.Get(FieldCode), attempt.At)
	})
	if err != nil {
		return Authentication{}, err
	}
	return Authentication{
		User:     user,
		AuthTime: attempt.At,
		Sequence: attempt.Sequence,
		AMR:      []string{amrOneTimeCode},
		ACR:      ACRPassword,
	}, nil
}

// useCode checks a code and stores its time step, so that the code cannot be used again.
func (t *TOTP) useCode(ctx context.Context, subject, code string, at time.Time) error {
	factors, err := t.Store.Factors(ctx, subject)
	if err != nil {
		return err
	}
	if factors.TOTP == nil {
		return wrongCode(subject, "user has no authenticator app")
	}
	secret, err := t.Secrets.UnwrapTOTP(subject, factors.TOTP.Wrapped)
	if err != nil {
		return err
	}
	step, ok := findStep(string(secret), code, at)
	if !ok {
		return wrongCode(subject, "wrong code of the authenticator app")
	}
	err = t.Store.ChangeFactors(ctx, subject, func(f *storage.Factors) error {
		return f.UseTOTP(factors.TOTP.Created, step, at)
	})
	switch {
	case errors.Is(err, storage.ErrAlreadyUsed):
		return wrongCode(subject, "the code of the authenticator app was used before")
	case errors.Is(err, storage.ErrNotFound), errors.Is(err, storage.ErrRevoked):
		return wrongCode(subject, "the authenticator app was removed meanwhile")
	}
	return err
}

// findStep returns the time step of a code. ok is false if the code belongs to none of the accepted steps.
func findStep(secret, code string, at time.Time) (step int64, ok bool) {
	code = strings.Join(strings.Fields(code), "")
	now := at.Unix() / totpPeriod
	for step := now - totpWindow; step <= now+totpWindow; step++ {
		valid, err := hotp.ValidateCustom(code, uint64(step), secret, hotp.ValidateOpts{
			Digits:    otp.DigitsSix,
			Algorithm: otp.AlgorithmSHA1, // the only one that all apps know
		})
		if err == nil && valid {
			return step, true
		}
	}
	return 0, false
}

// Recheck returns storage.ErrRevoked if the user was disabled or the password changed since Authenticate read the user.
func (t *TOTP) Recheck(ctx context.Context, a Authentication) error {
	return recheckUser(ctx, t.Store, a)
}

// recheckUser returns storage.ErrRevoked if the user was disabled, or the password changed, since the user was read.
func recheckUser(ctx context.Context, store FactorStore, a Authentication) error {
	user, err := store.User(ctx, a.User.Subject)
	if err != nil {
		return err
	}
	if user.Disabled || user.Password != a.User.Password {
		return fmt.Errorf("the user was changed while the second factor was checked: %w", storage.ErrRevoked)
	}
	return nil
}

// NewSecret makes a secret for a new authenticator app. Enrol checks later that the app has it.
func (t *TOTP) NewSecret(user storage.User) (*otp.Key, error) {
	key, err := totp.Generate(totp.GenerateOpts{Issuer: t.Issuer, AccountName: user.Name})
	if err != nil {
		return nil, fmt.Errorf("make the secret of an authenticator app: %w", err)
	}
	return key, nil
}

// Enrol returns the record of a new authenticator app with secret. It returns a *[Refusal] if code is not a current
// code for secret. The code cannot be used again.
func (t *TOTP) Enrol(subject, secret, code string, at time.Time) (*storage.TOTP, error) {
	step, ok := findStep(secret, code, at)
	if !ok {
		return nil, wrongCode(subject, "wrong code of a new authenticator app")
	}
	wrapped, err := t.Secrets.WrapTOTP(subject, []byte(secret))
	if err != nil {
		return nil, err
	}
	at = at.UTC().Truncate(time.Millisecond)
	return &storage.TOTP{Wrapped: wrapped, LastStep: step, Created: at, LastUsed: at}, nil
}

// EnrolTOTP sets up an authenticator app during the sign-in of a user who needs a second factor and has none.
type EnrolTOTP struct{ *TOTP }

// Method returns "enrol-totp".
func (t EnrolTOTP) Method() string { return "enrol-totp" }

// Label returns the key of the text of the link to the page.
func (t EnrolTOTP) Label() string { return "enroltotp.use" }

// Usable reports whether the user has no second factor and an authenticator app meets acr. A user with a second factor
// must use that: a password alone must not add another.
func (t EnrolTOTP) Usable(f storage.Factors, acr string) bool {
	return !f.HasSecondFactor() && Meets(ACRMultiFactor, acr)
}

// Page returns the page that shows the secret and asks for a first code. After a wrong code it shows the same secret
// again.
func (t EnrolTOTP) Page(_ context.Context, prompt Prompt) (func(io.Writer) error, error) {
	key, ok := secretInState(prompt.State)
	if !ok {
		var err error
		if key, err = t.NewSecret(*prompt.User); err != nil {
			return nil, err
		}
	}
	action, interaction, err := prompt.Seal(key.URL())
	if err != nil {
		return nil, err
	}
	page := templates.EnrolTOTPPage{
		Page:         prompt.Page,
		Action:       action,
		Interaction:  interaction,
		Application:  prompt.Application,
		URL:          key.URL(),
		Secret:       key.Secret(),
		Required:     true,
		Problem:      prompt.Problem,
		CancelURL:    prompt.CancelURL,
		OtherMethods: prompt.OtherMethods,
	}
	return func(w io.Writer) error { return templates.EnrolTOTP(w, page) }, nil
}

// secretInState returns the secret that Page sealed. ok is false if state has none.
func secretInState(state json.RawMessage) (key *otp.Key, ok bool) {
	var secretURL string
	if state == nil || json.Unmarshal(state, &secretURL) != nil || secretURL == "" {
		return nil, false
	}
	key, err := otp.NewKeyFromURL(secretURL)
	return key, err == nil
}

// Authenticate checks the first code, and stores the app and new recovery codes.
func (t EnrolTOTP) Authenticate(ctx context.Context, attempt Attempt) (Authentication, error) {
	user, err := t.Store.User(ctx, attempt.User.Subject)
	if err != nil {
		return Authentication{}, err
	}
	key, ok := secretInState(attempt.State)
	if !ok {
		return Authentication{}, wrongCode(user.Subject, "the form has no secret of a new authenticator app")
	}
	app, err := t.Enrol(user.Subject, key.Secret(), attempt.Form.Get(FieldCode), attempt.At)
	if err != nil {
		return Authentication{}, err
	}
	event, err := t.Notify.factorAdded(attempt, user, "totp")
	if err != nil {
		return Authentication{}, err
	}
	codes, hashes := NewRecoveryCodes(user.Subject)
	err = t.Store.ChangeFactors(ctx, user.Subject, func(f *storage.Factors) error {
		if !t.Usable(*f, "") {
			return storage.ErrChanged
		}
		f.TOTP = app
		f.RecoveryCodes = hashes
		f.RecoveryCreated = app.Created
		f.ForgetBrowsers()
		return nil
	}, event)
	if errors.Is(err, storage.ErrChanged) {
		return Authentication{}, fmt.Errorf("a second factor was added meanwhile: %w", storage.ErrRevoked)
	}
	if err != nil {
		return Authentication{}, err
	}
	return Authentication{
		User:          user,
		AuthTime:      attempt.At,
		Sequence:      attempt.Sequence,
		AMR:           []string{amrOneTimeCode},
		ACR:           ACRPassword,
		RecoveryCodes: codes,
	}, nil
}
