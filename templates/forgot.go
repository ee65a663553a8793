package templates

import "io"

// ForgotPage asks for the account whose password was forgotten. The form posts login to Action.
type ForgotPage struct {
	Page
	Action    string
	SignInURL string
	Sent      bool // the request was taken; the page does not say whether there is such an account
	Problem   Problem
}

// Forgot writes the "Forgot your password?" page.
func Forgot(w io.Writer, p ForgotPage) error { return render(w, p.Page, "forgot", p) }
