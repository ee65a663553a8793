package templates

import "io"

// SignInPage asks for user name and password. The form posts handle, username, password and, if ticked, keep=on to Action.
type SignInPage struct {
	Page
	Action          string
	Interaction     string
	Application     *App    // for whom; nil: for Curfew's own pages
	Login           string  // prefilled user name or e-mail
	AccountFixed    bool    // the account is given (prompt=login, max_age): only the password is asked
	OfferRememberMe bool    // show "keep me signed in"
	RememberMe      bool    // and have it ticked
	Problem         Problem // what went wrong before
	OtherAccountURL string  // with Fixed: a GET that shows the page without the fixed account
	ForgotURL       string  // where a forgotten password is reset; empty: a sentence says whom to ask
	CancelURL       string  // a GET that goes back to the application with access_denied; empty: no such link
	OtherMethods    []SignInMethod
}

// SignInMethod is a link to another way to sign in.
type SignInMethod struct {
	Label string
	URL   string
}

// SignIn writes the sign-in page.
func SignIn(w io.Writer, p SignInPage) error { return render(w, "signin", p) }

// SignInAgainPage stands between a sign-out and an application that sends the browser straight back to sign in, so that nobody is
// signed in again unnoticed. The form posts handle to Action.
type SignInAgainPage struct {
	Page
	Action      string
	Interaction string
	Application App
	StayURL     string // where a person goes who wants to stay signed out; empty: told to close the page
}

// SignInAgain writes the "you just signed out" page.
func SignInAgain(w io.Writer, p SignInAgainPage) error { return render(w, "signinagain", p) }

// ChooseAccountPage asks which account to continue with (prompt=select_account). The form posts handle to Action; Page.Account is
// the account that is offered.
type ChooseAccountPage struct {
	Page
	Action          string
	Interaction     string
	Application     *App
	Name            string // display name beside the account; may be empty
	OtherAccountURL string // a GET that shows the sign-in page for another account
}

// ChooseAccount writes the account chooser.
func ChooseAccount(w io.Writer, p ChooseAccountPage) error { return render(w, "chooseaccount", p) }
