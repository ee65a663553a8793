package templates

import "io"

// SignInPage asks for user name and password. The form posts interaction, username, password and, if ticked,
// keep=on to Action.
type SignInPage struct {
	Page
	Action          string
	Interaction     string
	Application     *App    // which app asks; nil: for the account pages
	Login           string  // prefilled username or email
	AccountFixed    bool    // the account is given (prompt=login, max_age): only the password is asked
	OfferRememberMe bool    // show "Keep me signed in"
	RememberMe      bool    // it is ticked
	Problem         Problem // what went wrong before
	OtherAccountURL string  // with AccountFixed: a GET that shows the page without the fixed account
	ForgotURL       string  // where a forgotten password is reset; empty: a sentence names the administrator
	CancelURL       string  // a GET that goes back to the app with access_denied; empty: no such link
	OtherMethods    []SignInMethod
}

// SignInMethod is a link to another way to sign in.
type SignInMethod struct {
	Label string // the name of its text
	URL   string
}

// SignIn writes the sign-in page.
func SignIn(w io.Writer, p SignInPage) error { return render(w, p.Page, "signin", p) }

// SignInAgainPage stands between a sign-out and an app that sends the browser straight back to sign in, so that the
// user is not signed in again unnoticed. The form posts interaction to Action.
type SignInAgainPage struct {
	Page
	Action      string
	Interaction string
	Application App
	StayURL     string // where a user goes who does not want to sign in; empty: a sentence says to close the page
}

// SignInAgain writes the "you just signed out" page.
func SignInAgain(w io.Writer, p SignInAgainPage) error { return render(w, p.Page, "signinagain", p) }

// ChooseAccountPage asks which account to continue with (prompt=select_account). The form posts interaction to
// Action; Page.Account is the account that is offered.
type ChooseAccountPage struct {
	Page
	Action          string
	Interaction     string
	Application     *App
	Name            string // display name beside the account; may be empty
	OtherAccountURL string // a GET that shows the sign-in page for another account
}

// ChooseAccount writes the account chooser.
func ChooseAccount(w io.Writer, p ChooseAccountPage) error {
	return render(w, p.Page, "chooseaccount", p)
}
