package authn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/curfew-id/curfew/provider/password"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// The fields of the sign-in form that Password reads.
const (
	FieldUsername = "username"
	FieldPassword = "password"
)

// Users is the part of a store that Password uses.
type Users interface {
	User(ctx context.Context, subject string) (storage.User, error)
	UserByLogin(ctx context.Context, login string) (storage.User, error)
	PutUser(ctx context.Context, u storage.User, e ...storage.Event) error
}

// Hasher hashes and verifies passwords (provider/password). Verify takes as long for an empty stored hash as for any
// other, so that the time does not show whether an account exists.
type Hasher interface {
	Verify(ctx context.Context, stored, password string, priority password.Priority) (ok, rehash bool, err error)
	Hash(ctx context.Context, password string) (string, error)
}

// Password authenticates by user name or e-mail address, and password.
type Password struct {
	Users   Users
	Hasher  Hasher
	Limiter Limiter
	Log     *slog.Logger

	Passkeys  *Passkeys // the page also offers to sign in with a passkey; nil: it does not
	SignUpURL string    // the page on which everyone may make an account; empty: not everyone may
	ForgotURL string    // the page on which users ask for a reset link by mail; empty: Curfew sends no mail
}

// Method returns "password".
func (p *Password) Method() string { return "password" }

// Label returns the key of the text of the link to the sign-in page.
func (p *Password) Label() string { return "signin.use_password" }

// Page returns the sign-in page.
func (p *Password) Page(ctx context.Context, prompt Prompt) (func(io.Writer) error, error) {
	page := templates.SignInPage{
		Page:            prompt.Page,
		Action:          prompt.Action,
		Interaction:     prompt.Interaction,
		Application:     prompt.Application,
		Login:           prompt.Login,
		OfferRememberMe: true,
		ForgotURL:       p.ForgotURL,
		SignUpURL:       p.SignUpURL,
		RememberMe:      prompt.RememberMe,
		Problem:         prompt.Problem,
		OtherAccountURL: prompt.OtherAccountURL,
		CancelURL:       prompt.CancelURL,
		OtherMethods:    prompt.OtherMethods,
		Upstreams:       prompt.Upstreams,
	}
	if prompt.User != nil {
		page.AccountFixed = true
		page.Login = prompt.User.Name
	}
	if p.Passkeys != nil {
		options, state, err := p.Passkeys.Begin(ctx, nil, prompt.Page.Now)
		if err != nil {
			return nil, err
		}
		page.Passkey.Options = options
		page.Passkey.Action, page.Passkey.Interaction, err = prompt.Seal(state)
		if err != nil {
			return nil, err
		}
	}
	return func(w io.Writer) error { return templates.SignIn(w, page) }, nil
}

// Authenticate checks user name and password. A wrong password, an unknown user and a disabled user get the same
// refusal after the same time.
func (p *Password) Authenticate(ctx context.Context, attempt Attempt) (Authentication, error) {
	user, account, err := p.findUser(ctx, attempt)
	if err != nil {
		return Authentication{}, err
	}
	origin := Origin{Address: attempt.Address}
	if user.Subject != "" {
		origin.Device = attempt.Device(user.Subject)
	}
	if err := p.Limiter.Allow(ctx, attempt.At, account, origin); err != nil {
		if tooMany, ok := errors.AsType[*TooManyAttemptsError](err); ok {
			return Authentication{}, &Refusal{
				Problem: templates.Problem{Fault: templates.TooManyAttempts, RetryAfter: tooMany.Wait},
				Reason:  "too many attempts",
				Subject: user.Subject,
			}
		}
		return Authentication{}, err
	}
	secret := attempt.Form.Get(FieldPassword)
	shouldRehash, err := p.verify(ctx, user, secret, origin)
	if errors.Is(err, password.ErrBusy) {
		if err := p.Limiter.Refund(ctx, account, origin); err != nil {
			return Authentication{}, err
		}
		return Authentication{}, &Refusal{
			Problem: templates.Problem{Fault: templates.Busy},
			Reason:  "too many passwords are being checked",
			Subject: user.Subject,
		}
	}
	if err != nil {
		return Authentication{}, err
	}
	if err := p.Limiter.RecordSuccess(ctx, account, origin); err != nil {
		return Authentication{}, err
	}
	if shouldRehash {
		p.rehash(ctx, &user, secret)
	}
	return ByPassword(user, attempt.At, attempt.Sequence), nil
}

// ByPassword returns the authentication of a user who has just given, or set, the password.
func ByPassword(user storage.User, at time.Time, sequence storage.Sequence) Authentication {
	return Authentication{
		User:     user,
		AuthTime: at,
		Sequence: sequence,
		AMR:      []string{amrPassword},
		ACR:      ACRPassword,
	}
}

// findUser returns the user in the attempt, and the name of the account for the limiter. The user is empty if no user
// has the typed name.
func (p *Password) findUser(ctx context.Context, attempt Attempt) (user storage.User, account string, err error) {
	if attempt.User != nil {
		user, err := p.Users.User(ctx, attempt.User.Subject)
		return user, user.Subject, err
	}
	login := strings.TrimSpace(attempt.Form.Get(FieldUsername))
	user, err = p.Users.UserByLogin(ctx, login)
	if errors.Is(err, storage.ErrNotFound) {
		return storage.User{}, "login " + strings.ToLower(login), nil
	}
	return user, user.Subject, err
}

// verify checks the password and reports whether it should be hashed again. If the password is wrong, the error is a
// *Refusal. If it was not checked, the error is password.ErrBusy.
func (p *Password) verify(
	ctx context.Context,
	user storage.User,
	secret string,
	origin Origin,
) (shouldRehash bool, err error) {
	hash := user.Password
	reason := "wrong password"
	switch {
	case user.Subject == "":
		reason = "unknown user"
	case user.Disabled:
		hash = "" // no password matches an empty hash
		reason = "user is disabled"
	case hash == "":
		reason = "user has no password"
	}
	priority := password.Stranger
	if origin.Device != "" {
		priority = password.KnownDevice
	}
	matches, shouldRehash, err := p.Hasher.Verify(ctx, hash, secret, priority)
	isWrong := err == nil && !matches
	if isWrong || errors.Is(err, password.ErrTooLong) {
		return false, &Refusal{
			Problem: templates.Problem{Fault: templates.WrongCredentials},
			Reason:  reason,
			Subject: user.Subject,
		}
	}
	return shouldRehash, err
}

// Recheck returns storage.ErrRevoked if the user's password was replaced since Authenticate read the user.
func (p *Password) Recheck(ctx context.Context, a Authentication) error {
	user, err := p.Users.User(ctx, a.User.Subject)
	if err == nil && user.Password != a.User.Password {
		return fmt.Errorf("the password was changed while it was checked: %w", storage.ErrRevoked)
	}
	return err
}

// rehash stores a hash of the password with the current cost and updates user. If that fails, it only logs the error:
// the next sign-in tries again.
func (p *Password) rehash(ctx context.Context, user *storage.User, secret string) {
	updated, err := p.storeHash(ctx, *user, secret)
	if err != nil {
		p.Log.WarnContext(ctx, "password not hashed at the present cost", "sub", user.Subject, "err", err)
		return
	}
	*user = updated
}

// storeHash hashes the password, stores the hash and returns the stored user.
func (p *Password) storeHash(ctx context.Context, user storage.User, secret string) (storage.User, error) {
	hash, err := p.Hasher.Hash(ctx, secret)
	if err != nil {
		return user, err
	}
	user.Password = hash
	err = p.Users.PutUser(ctx, user)
	if errors.Is(err, storage.ErrChanged) {
		return p.storedByAnother(ctx, user.Subject, secret)
	}
	if err != nil {
		return user, err
	}
	return p.Users.User(ctx, user.Subject) // with the new revision
}

// storedByAnother returns the user after another request has changed it. It is no error if that request stored another
// hash of the same password, as two simultaneous sign-ins do. Otherwise the error is storage.ErrChanged.
func (p *Password) storedByAnother(ctx context.Context, subject, secret string) (storage.User, error) {
	user, err := p.Users.User(ctx, subject)
	if err != nil {
		return user, err
	}
	matches, _, err := p.Hasher.Verify(ctx, user.Password, secret, password.KnownDevice)
	if err != nil {
		return user, err
	}
	if !matches {
		return user, storage.ErrChanged
	}
	return user, nil
}
