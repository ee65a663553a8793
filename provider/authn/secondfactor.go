package authn

import (
	"context"
	"errors"
	"time"

	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// SecondFactor is an authenticator that proves one thing more about a user who is known already, or sets it up.
type SecondFactor interface {
	Authenticator
	// Usable reports whether a user with these factors can prove this and meets acr then, a password given.
	Usable(f storage.Factors, acr string) bool
}

// FactorStore is what the second factors ask of the store.
type FactorStore interface {
	User(ctx context.Context, subject string) (storage.User, error)
	Factors(ctx context.Context, subject string) (storage.Factors, error)
	ChangeFactors(
		ctx context.Context, subject string, change func(*storage.Factors) error, e ...storage.Event,
	) error
	MarkUsed(ctx context.Context, id string, issued, until, at time.Time) error
}

// FieldMethod is the field of a form that names the authenticator that it is for, where a page has the forms of two.
const FieldMethod = "method"

// checkLimited counts an attempt at a user's second factors and calls check. The counter is not the password's: a
// correct password must not give further attempts at the second factor.
func checkLimited(ctx context.Context, limiter Limiter, attempt Attempt, check func() error) error {
	subject := attempt.User.Subject
	account, origin := "second factor of "+subject, Origin{Address: attempt.Address, Device: attempt.Device(subject)}
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

// wrongCode is the refusal of a code.
func wrongCode(subject, reason string) error {
	return &Refusal{Problem: templates.Problem{Fault: templates.WrongCode}, Reason: reason, Subject: subject}
}

// FactorEvent is the audit line of a change or use of a factor.
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

// The kinds of audit lines about factors.
const (
	EventFactorAdded   = "user.factor_added"
	EventFactorRemoved = "user.factor_removed"
	EventFactorRenamed = "user.factor_renamed"
	EventRecoveryUsed  = "user.recovery_code_used"
	EventRecoveryCodes = "user.recovery_codes"

	EventBrowserRemembered = "user.browser_remembered"
)
