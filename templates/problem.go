package templates

import (
	"slices"
	"time"
)

// Problem is the reason why a form that the user sent was refused. The zero value means no problem.
type Problem struct {
	Fault       Fault
	RetryAfter  time.Duration // for TooManyAttempts: when to try again
	MinPassword int           // for PasswordTooShort: the minimum number of characters
	Provider    string        // for the faults of another provider: its name
}

// Fault is the kind of a problem.
type Fault string

// The faults.
const (
	WrongCredentials Fault = "credentials" // user name or password; the same whether the user exists or not
	TooManyAttempts  Fault = "attempts"
	Busy             Fault = "busy"         // too many passwords are being checked
	SessionOver      Fault = "session-over" // the session ended; sign in again
	TooManySessions  Fault = "sessions"     // as many sessions as a user may have
	PageExpired      Fault = "page-expired" // the interaction is too old or of another browser
	OtherUser        Fault = "other-user"   // signed in as another user than the app asked for
	WrongPassword    Fault = "password"     // the current password is wrong
	PasswordTooShort Fault = "too-short"
	PasswordTooLong  Fault = "too-long"
	PasswordCommon   Fault = "common"   // on the list of common passwords
	PasswordBreached Fault = "breached" // on the list of breached passwords
	PasswordSame     Fault = "same"     // new and old are the same
	PasswordsDiffer  Fault = "differ"   // the new and the repeated password differ
	EmailInvalid     Fault = "email"
	EmailDomain      Fault = "email-domain" // addresses of this domain may not sign up
	EmailFixed       Fault = "email-fixed"  // it was changed, or the account protected, less than three days ago
	LoginMissing     Fault = "login"        // no user name or e-mail address was typed
	WrongCode        Fault = "code"         // of an authenticator app, or a recovery code
	PasskeyRefused   Fault = "passkey"      // no passkey of this user, or its answer proves nothing
	FactorNeeded     Fault = "needed"       // the last factor that the policy demands cannot go
	TooManyPasskeys  Fault = "many"         // no room for another one

	// The faults of a sign-in with an account of another provider; Problem.Provider is its name.
	UpstreamUnavailable Fault = "upstream-unavailable" // it does not answer
	UpstreamRefused     Fault = "upstream-refused"     // its answer authenticates no user here
	UpstreamCancelled   Fault = "upstream-cancelled"   // the user did not want to
	UpstreamNotLinked   Fault = "upstream-not-linked"  // sign in once by other means, to link the account
	UpstreamTaken       Fault = "upstream-taken"       // the account is linked to another user
)

// problemTexts has the name of the text of each fault: what is wrong and what to do.
var problemTexts = map[Fault]string{
	WrongCredentials: "problem.credentials",
	TooManyAttempts:  "problem.attempts",
	Busy:             "problem.busy",
	SessionOver:      "problem.session-over",
	TooManySessions:  "problem.sessions",
	PageExpired:      "problem.page-expired",
	OtherUser:        "problem.other-user",
	WrongPassword:    "problem.password",
	PasswordTooShort: "problem.too-short",
	PasswordTooLong:  "problem.too-long",
	PasswordCommon:   "problem.common",
	PasswordBreached: "problem.breached",
	PasswordSame:     "problem.same",
	PasswordsDiffer:  "problem.differ",
	EmailInvalid:     "problem.email",
	EmailDomain:      "problem.email-domain",
	EmailFixed:       "problem.email-fixed",
	LoginMissing:     "problem.login",
	WrongCode:        "problem.code",
	PasskeyRefused:   "problem.passkey",
	FactorNeeded:     "problem.needed",
	TooManyPasskeys:  "problem.many",

	UpstreamUnavailable: "problem.upstream-unavailable",
	UpstreamRefused:     "problem.upstream-refused",
	UpstreamCancelled:   "problem.upstream-cancelled",
	UpstreamNotLinked:   "problem.upstream-not-linked",
	UpstreamTaken:       "problem.upstream-taken",
}

// problem returns the text of a problem.
func (l *locale) problem(p Problem) Text {
	switch {
	case p.Fault == TooManyAttempts && p.RetryAfter > 0:
		return l.text("problem.attempts_in", "Duration", l.durationUp(p.RetryAfter))
	case p.Fault == PasswordTooShort && p.MinPassword > 0:
		return l.text("problem.too-short_least", "Count", p.MinPassword)
	case problemTexts[p.Fault] == "":
		return l.text("problem.other")
	}
	return l.text(problemTexts[p.Fault], "Provider", p.Provider)
}

// IsNotice reports whether the problem is not a mistake of the user.
func (p Problem) IsNotice() bool {
	return slices.Contains([]Fault{SessionOver, PageExpired, UpstreamCancelled, UpstreamNotLinked}, p.Fault)
}

// OffersOldestSessions reports whether the user can end the oldest sessions to go on.
func (p Problem) OffersOldestSessions() bool { return p.Fault == TooManySessions }

// invalidFields has the form fields that each fault marks as invalid.
var invalidFields = map[Fault][]string{
	WrongCredentials: {"username", "password"},
	OtherUser:        {"username"},
	WrongPassword:    {"current-password"},
	PasswordTooShort: {"new-password"},
	PasswordTooLong:  {"new-password"},
	PasswordCommon:   {"new-password"},
	PasswordBreached: {"new-password"},
	PasswordSame:     {"new-password"},
	PasswordsDiffer:  {"new-password", "repeat-password"},
	EmailInvalid:     {"email"},
	EmailDomain:      {"email"},
	EmailFixed:       {"email"},
	LoginMissing:     {"login"},
	WrongCode:        {"code"},
}

// ConcernsField reports whether the problem marks a form field as invalid.
func (p Problem) ConcernsField(field string) bool {
	return slices.Contains(invalidFields[p.Fault], field)
}
