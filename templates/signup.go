package templates

import "io"

// SignUpPage asks for the address of a new user. The form posts email to Action.
type SignUpPage struct {
	Page
	Action    string
	SignInURL string
	Sent      bool // the request was taken; the page does not say whether the address has an account
	Problem   Problem
}

// SignUp writes the "Create an account" page.
func SignUp(w io.Writer, p SignUpPage) error { return render(w, p.Page, "signup", p) }
