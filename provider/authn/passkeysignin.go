package authn

import (
	"context"
	"errors"
	"io"

	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// PasskeySignIn authenticates by a passkey alone. Its form is on the page of [Password].
type PasskeySignIn struct{ *Passkeys }

// Method returns "passkey".
func (p PasskeySignIn) Method() string { return "passkey" }

// Label returns "", because no link leads to the page.
func (p PasskeySignIn) Label() string { return "" }

// Page returns the page that asks for a passkey.
func (p PasskeySignIn) Page(ctx context.Context, prompt Prompt) (func(io.Writer) error, error) {
	return p.page(ctx, prompt, nil)
}

// page returns the page that asks for a passkey of user or, if user is nil, of any user.
func (p *Passkeys) page(ctx context.Context, prompt Prompt, user *storage.User) (func(io.Writer) error, error) {
	options, state, err := p.Begin(ctx, user, prompt.Page.Now)
	if err != nil {
		return nil, err
	}
	action, interaction, err := prompt.Seal(state)
	if err != nil {
		return nil, err
	}
	page := templates.PasskeyPage{
		Page:            prompt.Page,
		Request:         templates.PasskeyRequest{Action: action, Interaction: interaction, Options: options},
		Application:     prompt.Application,
		RememberDays:    prompt.RememberDays,
		Problem:         prompt.Problem,
		OtherAccountURL: prompt.OtherAccountURL,
		CancelURL:       prompt.CancelURL,
		OtherMethods:    prompt.OtherMethods,
	}
	return func(w io.Writer) error { return templates.PasskeySignIn(w, page) }, nil
}

// Authenticate checks the answer of a passkey, which must have verified its user. It limits attempts by the browser's
// address only: a signature cannot be guessed, and wrong answers must not lock a user out.
func (p PasskeySignIn) Authenticate(ctx context.Context, attempt Attempt) (Authentication, error) {
	account := "passkey at " + attempt.Address
	origin := Origin{Address: attempt.Address}
	err := p.Limiter.Allow(ctx, attempt.At, account, origin)
	if tooMany, ok := errors.AsType[*TooManyAttemptsError](err); ok {
		return Authentication{}, &Refusal{
			Problem: templates.Problem{Fault: templates.TooManyAttempts, RetryAfter: tooMany.Wait},
			Reason:  "too many answers of passkeys",
		}
	}
	if err != nil {
		return Authentication{}, err
	}
	authentication, err := p.finish(ctx, attempt, nil)
	if err == nil && authentication.ACR != ACRPasskey {
		err = refusedPasskey(authentication.User.Subject, "the passkey did not verify its user")
	}
	if err != nil {
		return Authentication{}, err
	}
	return authentication, p.Limiter.RecordSuccess(ctx, account, origin)
}

// Recheck returns storage.ErrRevoked if the user was disabled or the password changed since Authenticate read the user.
func (p *Passkeys) Recheck(ctx context.Context, a Authentication) error {
	return recheckUser(ctx, p.Store, a)
}

// PasskeyFactor authenticates by a passkey after the password.
type PasskeyFactor struct{ *Passkeys }

// Method returns "passkey".
func (p PasskeyFactor) Method() string { return "passkey" }

// Label returns the key of the text of the link to the page.
func (p PasskeyFactor) Label() string { return "passkey.use" }

// Usable reports whether the user has a passkey and it meets acr.
func (p PasskeyFactor) Usable(f storage.Factors, acr string) bool {
	return len(f.Passkeys) > 0 && Meets(ACRPasskey, acr)
}

// Page returns the page that asks for a passkey of the user.
func (p PasskeyFactor) Page(ctx context.Context, prompt Prompt) (func(io.Writer) error, error) {
	return p.page(ctx, prompt, prompt.User)
}

// Authenticate checks the answer of the user's passkey.
func (p PasskeyFactor) Authenticate(ctx context.Context, attempt Attempt) (authentication Authentication, err error) {
	err = checkLimited(ctx, p.Limiter, attempt, func() error {
		authentication, err = p.finish(ctx, attempt, attempt.User)
		return err
	})
	return authentication, err
}
