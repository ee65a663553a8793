package templates

import "io"

// PasskeyRequest is a form that the page's script sends with the answer of a passkey. It posts interaction,
// method=passkey and credential to Action.
type PasskeyRequest struct {
	Action      string
	Interaction string
	Options     string // JSON, for navigator.credentials; empty: no form
}

// PasskeyPage asks for a passkey.
type PasskeyPage struct {
	Page
	Request         PasskeyRequest
	Application     *App // which app asks; nil: for the account pages
	RememberDays    int  // offer not to ask in this browser for so long; 0: not offered
	Problem         Problem
	OtherAccountURL string
	CancelURL       string // a GET that goes back to the app with access_denied; empty: no such link
	OtherMethods    []SignInMethod
}

// PasskeySignIn writes the page that asks for a passkey.
func PasskeySignIn(w io.Writer, p PasskeyPage) error { return render(w, p.Page, "passkey", p) }

// EnrolPasskeyPage sets up a passkey. The form also posts name.
type EnrolPasskeyPage struct {
	Page
	Request      PasskeyRequest
	Application  *App   // which app the user signs in to; nil: none
	Name         string // prefilled name of the passkey
	Required     bool   // the user needs it to sign in
	EndsOthers   bool   // ask whether to end other sessions and background access
	EndsAll      bool   // say that all sessions and background access of Account end
	Problem      Problem
	CancelURL    string // empty: no such link
	OtherMethods []SignInMethod
}

// EnrolPasskey writes the page that sets up a passkey.
func EnrolPasskey(w io.Writer, p EnrolPasskeyPage) error { return render(w, p.Page, "enrolpasskey", p) }
