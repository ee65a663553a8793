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
	totpWindow = 1  // steps before and after the present one that are accepted (RFC 6238 §6)
)

// SecretWrapper seals the secrets of authenticator apps by the key file's key (provider/keys).
type SecretWrapper interface {
	WrapTOTP(subject string, secret []byte) ([]byte, error)
	UnwrapTOTP(subject string, wrapped []byte) ([]byte, error)
}

// TOTP is the code of an authenticator app (RFC 6238), as the second factor.
type TOTP struct {
	Store   FactorStore
	Secrets SecretWrapper
	Limiter Limiter
	Issuer  string // names this provider in the app
}

// Method returns "totp".
func (t *TOTP) Method() string { return "totp" }

// Label returns the name of the text of the link to the page.
func (t *TOTP) Label() string { return "code.use_app" }

// Usable reports whether the user has an authenticator app.
func (t *TOTP) Usable(f storage.Factors, acr string) bool {
	return f.TOTP != nil && Meets(ACRMultiFactor, acr)
}

// Page returns the page that asks for the code.
func (t *TOTP) Page(_ context.Context, prompt Prompt) (func(io.Writer) error, error) {
	return codePage(prompt, false), nil
}

// codePage is the page that asks for a code of an app or a recovery code.
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

// findStep returns the time step that a code belongs to.
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

// Recheck returns storage.ErrRevoked if the user was disabled or removed since.
func (t *TOTP) Recheck(ctx context.Context, a Authentication) error {
	return recheckUser(ctx, t.Store, a)
}

// recheckUser returns storage.ErrRevoked if the user was disabled, or the password changed, since the user was read.
func recheckUser(ctx context.Context, store FactorStore, a Authentication) error {
	user, err := store.User(ctx, a.User.Subject)
	if err == nil && (user.Password != a.User.Password || user.Disabled) {
		return fmt.Errorf("the user was changed while the second factor was checked: %w", storage.ErrRevoked)
	}
	return err
}

// NewSecret makes the secret of a new authenticator app, which counts after Enrol.
func (t *TOTP) NewSecret(user storage.User) (*otp.Key, error) {
	key, err := totp.Generate(totp.GenerateOpts{Issuer: t.Issuer, AccountName: user.Name})
	if err != nil {
		return nil, fmt.Errorf("make the secret of an authenticator app: %w", err)
	}
	return key, nil
}

// Enrol returns the authenticator app of that secret if the code proves that the user's app has it. Otherwise the
// error is a *[Refusal]. The code is used up.
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

// EnrolTOTP sets up an authenticator app while a user signs in who needs a second factor and has none.
type EnrolTOTP struct{ *TOTP }

// Method returns "enrol-totp".
func (t EnrolTOTP) Method() string { return "enrol-totp" }

// Label returns the name of the text of the link to the page.
func (t EnrolTOTP) Label() string { return "enroltotp.use" }

// Usable reports whether the user has no second factor. A user who has one proves it instead: a password alone must
// not add another.
func (t EnrolTOTP) Usable(f storage.Factors, acr string) bool {
	return !f.HasSecondFactor() && Meets(ACRMultiFactor, acr)
}

// Page returns the page that shows the secret and asks for a first code. A page after a wrong code shows the same
// secret.
func (t EnrolTOTP) Page(_ context.Context, prompt Prompt) (func(io.Writer) error, error) {
	secretURL := ""
	if prompt.State != nil && json.Unmarshal(prompt.State, &secretURL) != nil {
		secretURL = ""
	}
	key, err := otp.NewKeyFromURL(secretURL)
	if secretURL == "" || err != nil {
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

// Authenticate checks the first code, and stores the app and new recovery codes.
func (t EnrolTOTP) Authenticate(ctx context.Context, attempt Attempt) (Authentication, error) {
	user, err := t.Store.User(ctx, attempt.User.Subject)
	if err != nil {
		return Authentication{}, err
	}
	var secretURL string
	if attempt.State == nil || json.Unmarshal(attempt.State, &secretURL) != nil {
		return Authentication{}, wrongCode(user.Subject, "the form has no secret of a new authenticator app")
	}
	key, err := otp.NewKeyFromURL(secretURL)
	if err != nil {
		return Authentication{}, wrongCode(user.Subject, "the form has no secret of a new authenticator app")
	}
	app, err := t.Enrol(user.Subject, key.Secret(), attempt.Form.Get(FieldCode), attempt.At)
	if err != nil {
		return Authentication{}, err
	}
	codes, hashes := NewRecoveryCodes(user.Subject)
	err = t.Store.ChangeFactors(ctx, user.Subject, func(f *storage.Factors) error {
		if !t.Usable(*f, "") {
			return storage.ErrChanged
		}
		f.TOTP, f.RecoveryCodes, f.RecoveryCreated = app, hashes, app.Created
		f.ForgetBrowsers()
		return nil
	}, FactorEvent(attempt.At, EventFactorAdded, user.Subject, attempt.Address, "totp"))
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
