package templates

import "time"

// Problem is what was wrong with a form that was sent before. The zero value is no problem.
type Problem struct {
	Fault       Fault
	RetryAfter  time.Duration // with TooManyAttempts: when to try again
	MinPassword int           // with PasswordTooShort: how many characters at least
}

// Fault names what was wrong.
type Fault string

// The faults.
const (
	WrongCredentials Fault = "credentials" // user name or password; the same whether the user exists or not
	TooManyAttempts  Fault = "attempts"
	Busy             Fault = "busy"         // no room to check another password just now
	SessionOver      Fault = "session-over" // the session ended; sign in again
	PageExpired      Fault = "page-expired" // the interaction is too old or of another browser
	OtherUser        Fault = "other-user"   // signed in as another user than the app asked for
	WrongPassword    Fault = "password"     // the current password
	PasswordTooShort Fault = "too-short"
	PasswordTooLong  Fault = "too-long"
	PasswordCommon   Fault = "common" // on the list of common passwords
	PasswordSame     Fault = "same"   // new and old are the same
	PasswordsDiffer  Fault = "differ" // new and repeated
	EmailInvalid     Fault = "email"
)

// problemTexts are the texts of the faults: what is wrong and what to do.
var problemTexts = map[Fault]string{
	WrongCredentials: "problem.credentials",
	TooManyAttempts:  "problem.attempts",
	Busy:             "problem.busy",
	SessionOver:      "problem.session-over",
	PageExpired:      "problem.page-expired",
	OtherUser:        "problem.other-user",
	WrongPassword:    "problem.password",
	PasswordTooShort: "problem.too-short",
	PasswordTooLong:  "problem.too-long",
	PasswordCommon:   "problem.common",
	PasswordSame:     "problem.same",
	PasswordsDiffer:  "problem.differ",
	EmailInvalid:     "problem.email",
}

// problem puts a problem in words.
func (l *locale) problem(p Problem) Text {
	switch {
	case p.Fault == TooManyAttempts && p.RetryAfter > 0:
		return l.text("problem.attempts_in", "Duration", l.durationUp(p.RetryAfter))
	case p.Fault == PasswordTooShort && p.MinPassword > 0:
		return l.text("problem.too-short_least", "Count", p.MinPassword)
	case problemTexts[p.Fault] == "":
		return l.text("problem.other")
	}
	return l.text(problemTexts[p.Fault])
}

// IsNotice reports whether the problem does not lie in what was typed.
func (p Problem) IsNotice() bool { return p.Fault == SessionOver || p.Fault == PageExpired }

// ConcernsField reports whether the problem lies in the form field of that name, which is then marked as invalid.
func (p Problem) ConcernsField(field string) bool {
	switch field {
	case "username":
		return p.Fault == WrongCredentials || p.Fault == OtherUser
	case "password":
		return p.Fault == WrongCredentials
	case "current-password":
		return p.Fault == WrongPassword
	case "new-password":
		return p.Fault == PasswordTooShort || p.Fault == PasswordTooLong || p.Fault == PasswordCommon ||
			p.Fault == PasswordSame ||
			p.Fault == PasswordsDiffer
	case "repeat-password":
		return p.Fault == PasswordsDiffer
	case "email":
		return p.Fault == EmailInvalid
	}
	return false
}
