package authn

import (
	"context"
	"errors"
	"time"

	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// SecondFactor is an authenticator for a user who has given a correct password. It checks a second factor, or sets one
// up.
type SecondFactor interface {
	Authenticator
	// Usable reports whether a user with these factors can use the authenticator, and whether password and second
	// factor together meet acr.
	Usable(f storage.Factors, acr string) bool
}

// FactorStore has the methods of the store that the second factors use.
type FactorStore interface {
	User(ctx context.Context, subject string) (storage.User, error)
	Factors(ctx context.Context, subject string) (storage.Factors, error)
	ChangeFactors(
		ctx context.Context, subject string, change func(*storage.Factors) error, e ...storage.Event,
	) error
	MarkUsed(ctx context.Context, id string, issued, until, at time.Time) error
}

// FieldMethod is the field that names the authenticator of a form, on a page with the forms of two authenticators.
const FieldMethod = "method"

// checkLimited counts an attempt at a user's second factors and calls check. The counter is not the password's: a
// correct password must not give further attempts at the second factor.
func checkLimited(ctx context.Context, limiter Limiter, attempt Attempt, check func() error) error {
	subject := attempt.User.Subject
	account := "second factor of " + subject
	origin := Origin{Address: attempt.Address, Device: attempt.Device(subject)}
	err := limiter.Allow(ctx, attempt.At, account, origin)
	if tooMany, ok := errors.AsType[*TooManyAttemptsError](err); ok {
		return &Refusal{
			Problem: templates.Problem{Fault: templates.TooManyAttempts, RetryAfter: tooMany.Wait},
			Reason:  "too many attempts at the second factor",
			Subject: subject,
		}
	}
	if err != nil {
		return err
	}
	if err := check(); err != nil {
		return err
	}
	return limiter.RecordSuccess(ctx, account, origin)
}

// wrongCode returns the refusal of a code.
func wrongCode(subject, reason string) error {
	return &Refusal{
		Problem: templates.Problem{Fault: templates.WrongCode},
		Reason:  reason,
		Subject: subject,
	}
}

// FactorEvent returns the audit event for the change or use of a factor.
func FactorEvent(at time.Time, kind, subject, address, factor string) storage.Event {
	return storage.Event{
		At:      at,
		Kind:    kind,
		By:      "user:" + subject,
		Subject: subject,
		Address: address,
		Detail:  map[string]string{"factor": factor},
	}
}

// Notify lets the audit event of a new factor carry a message to the user. Nil: no message.
type Notify func(e *storage.Event, user storage.User, userAgent string) error

// factorAdded returns the audit event for a factor that the user has set up in an attempt to sign in.
func (n Notify) factorAdded(attempt Attempt, user storage.User, factor string) (storage.Event, error) {
	event := FactorEvent(attempt.At, EventFactorAdded, user.Subject, attempt.Address, factor)
	if n == nil {
		return event, nil
	}
	err := n(&event, user, attempt.UserAgent)
	return event, err
}

// The kinds of audit events about factors.
const (
	EventFactorAdded   = "user.factor_added"
	EventFactorRemoved = "user.factor_removed"
	EventFactorRenamed = "user.factor_renamed"
	EventRecoveryUsed  = "user.recovery_code_used"
	EventRecoveryCodes = "user.recovery_codes"

	EventBrowserRemembered = "user.browser_remembered"
)
