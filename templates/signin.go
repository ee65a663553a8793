package templates

import "io"

// SignInPage asks for user name and password. The form posts interaction, username, password and, if ticked,
// keep=on to Action.
type SignInPage struct {
	Page
	Action          string
	Interaction     string
	Application     *App    // the app that the user signs in to; nil: the account pages
	Login           string  // fills in the field for user name or e-mail address
	AccountFixed    bool    // the page asks for the password of Login only (prompt=login, max_age)
	OfferRememberMe bool    // show "Keep me signed in"
	RememberMe      bool    // "Keep me signed in" is ticked
	Problem         Problem // of the previous attempt
	OtherAccountURL string  // with AccountFixed: a GET that shows the page without the fixed account
	SignUpURL       string  // makes an account; empty: not everyone may
	ForgotURL       string  // resets a forgotten password; empty: the page refers to the administrator
	CancelURL       string  // a GET that goes back to the app with access_denied; empty: no such link
	OtherMethods    []SignInMethod
	Upstreams       []UpstreamLink // buttons that lead to other providers
	Passkey         PasskeyRequest // the second form, for a passkey of any user; zero: not offered
}

// SignInMethod is a link to another way to sign in.
type SignInMethod struct {
	Label string // the name of its text
	URL   string
}

// UpstreamLink is a button that leads to another provider.
type UpstreamLink struct {
	ID   string // of the provider, for the id of the button
	Name string
	URL  string // a GET that redirects there
}

// SignIn writes the sign-in page.
func SignIn(w io.Writer, p SignInPage) error { return render(w, p.Page, "signin", p) }

// SignInAgainPage is shown if an app asks for a sign-in immediately after a sign-out, so that the user is not signed in
// again without noticing. The form posts interaction to Action.
type SignInAgainPage struct {
	Page
	Action      string
	Interaction string
	Application App
	StayURL     string // for users who do not want to sign in; empty: the page advises to close it
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
