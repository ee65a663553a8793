package templates

import (
	"fmt"
	"time"
)

// Problem is what was wrong with a form that was sent before. The zero value: nothing.
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
	PageExpired      Fault = "page-expired" // the handle is too old or of another browser
	OtherUser        Fault = "other-user"   // signed in as somebody else than the application asked for
	WrongPassword    Fault = "password"     // the current password
	PasswordTooShort Fault = "too-short"
	PasswordTooLong  Fault = "too-long"
	PasswordCommon   Fault = "common" // on the list of passwords that are tried first
	PasswordSame     Fault = "same"   // new and old are the same
	PasswordsDiffer  Fault = "differ" // new and repeated
	EmailInvalid     Fault = "email"
	EmailTaken       Fault = "email-taken"
)

// Text is the problem as one sentence, with what to do about it.
func (p Problem) Text() string {
	switch p.Fault {
	case WrongCredentials:
		return "The user name or password is wrong."
	case TooManyAttempts:
		if p.RetryAfter > 0 {
			return "Too many attempts. Try again in " + formatDurationUp(p.RetryAfter) + "."
		}
		return "Too many attempts. Try again later."
	case Busy:
		return "Many people are signing in just now. Try again in a moment."
	case SessionOver:
		return "Your session is over. Sign in again."
	case PageExpired:
		return "This page was open for too long. Nothing was done; please try again."
	case OtherUser:
		return "The application asked for another account."
	case WrongPassword:
		return "The current password is wrong."
	case PasswordTooShort:
		if p.MinPassword > 0 {
			return fmt.Sprintf("The new password is too short. It needs at least %d characters.", p.MinPassword)
		}
		return "The new password is too short."
	case PasswordTooLong:
		return "The new password is too long."
	case PasswordCommon:
		return "The new password is one of those that are tried first. Choose another."
	case PasswordSame:
		return "The new password is the old one. Choose another."
	case PasswordsDiffer:
		return "The two new passwords are not the same."
	case EmailInvalid:
		return "This is not an e-mail address."
	case EmailTaken:
		return "This e-mail address cannot be used here."
	}
	return "That did not work. Please try again."
}

// IsNotice tells whether this is no fault of what was typed.
func (p Problem) IsNotice() bool { return p.Fault == SessionOver || p.Fault == PageExpired }

// ConcernsField tells whether the problem lies in the form field of that name, which is then marked as invalid.
func (p Problem) ConcernsField(field string) bool {
	switch field {
	case "username":
		return p.Fault == WrongCredentials || p.Fault == OtherUser
	case "password":
		return p.Fault == WrongCredentials
	case "current-password":
		return p.Fault == WrongPassword
	case "new-password":
		return p.Fault == PasswordTooShort || p.Fault == PasswordTooLong || p.Fault == PasswordCommon || p.Fault == PasswordSame || p.Fault == PasswordsDiffer
	case "repeat-password":
		return p.Fault == PasswordsDiffer
	case "email":
		return p.Fault == EmailInvalid || p.Fault == EmailTaken
	}
	return false
}
