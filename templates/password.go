package templates

import "io"

// ResetPasswordPage sets a password by a one-time link: the first one of an invited user, or a new one. The form
// posts interaction, new-password, repeat-password and keep-background to Action.
type ResetPasswordPage struct {
	Page
	Action      string
	Interaction string
	Login       string   // the user's login name
	MinPassword int      // in characters; 0: not shown
	Invitation  bool     // the user has no password yet
	Background  []string // apps with background access, which ends unless the user keeps it
	HasFactors  bool     // passkeys or second factors stay
	Problem     Problem
}

// ResetPassword writes the page behind a reset link.
func ResetPassword(w io.Writer, p ResetPasswordPage) error {
	return render(w, p.Page, "resetpassword", p)
}

// PasswordChangedPage confirms that a password was set by a link, and counts the sessions that have ended.
type PasswordChangedPage struct {
	Page
	Ended     int    // sessions that have ended
	More      bool   // more sessions than Ended have ended
	SignInURL string // empty: no link
}

// PasswordChanged writes the "Your password is set" page.
func PasswordChanged(w io.Writer, p PasswordChangedPage) error {
	return render(w, p.Page, "passwordchanged", p)
}
