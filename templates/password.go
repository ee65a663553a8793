package templates

import "io"

// ResetPasswordPage sets a new password by a one-time link. The form posts handle, new-password and repeat-password to Action.
type ResetPasswordPage struct {
	Page
	Action      string
	Interaction string
	Login       string // whose password it is
	MinPassword int    // in characters; 0: not said
	Problem     Problem
}

// ResetPassword writes the page behind a reset link.
func ResetPassword(w io.Writer, p ResetPasswordPage) error { return render(w, "resetpassword", p) }

// PasswordChangedPage says that a password was set by a link, and what that ended.
type PasswordChangedPage struct {
	Page
	Ended     int    // sessions that ended with it
	More      bool   // and more than these
	SignInURL string // empty: no link
}

// PasswordChanged writes the "password changed" page.
func PasswordChanged(w io.Writer, p PasswordChangedPage) error {
	return render(w, "passwordchanged", p)
}

// EndedText says how many sessions ended.
func (p PasswordChangedPage) EndedText() string {
	if p.Ended == 0 {
		return "Nobody was signed in with the old one."
	}
	if p.More {
		return "More than " + pluralize(p.Ended, "session") + " with the old one ended."
	}
	return capitalize(pluralize(p.Ended, "session")) + " with the old one ended."
}
