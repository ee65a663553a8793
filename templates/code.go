package templates

import (
	"io"
	"strings"
)

// CodePage asks for the code of an authenticator app, or for a recovery code, after the password. The form posts
// interaction, code and, if ticked, remember-browser=on to Action.
type CodePage struct {
	Page
	Action          string
	Interaction     string
	Application     *App // which app asks; nil: for the account pages
	Recovery        bool // it asks for a recovery code
	RememberDays    int  // offer not to ask in this browser for so long; 0: not offered
	Problem         Problem
	OtherAccountURL string
	CancelURL       string // a GET that goes back to the app with access_denied; empty: no such link
	OtherMethods    []SignInMethod
}

// Code writes the page that asks for a code.
func Code(w io.Writer, p CodePage) error { return render(w, p.Page, "code", p) }

// EnrolTOTPPage sets up an authenticator app. The form posts interaction and code to Action.
type EnrolTOTPPage struct {
	Page
	Action       string
	Interaction  string
	Application  *App   // which app the user signs in to; nil: none
	URL          string // otpauth://…, shown as a QR code
	Secret       string // the same, to be typed
	Required     bool   // the user needs it to sign in
	EndsOthers   bool   // ask whether to end other sessions and background access
	EndsAll      bool   // say that all sessions and background access of Account end
	Problem      Problem
	CancelURL    string // empty: no such link
	OtherMethods []SignInMethod
}

// EnrolTOTP writes the page that sets up an authenticator app.
func EnrolTOTP(w io.Writer, p EnrolTOTPPage) error { return render(w, p.Page, "enroltotp", p) }

// QR is the QR code of URL.
func (p EnrolTOTPPage) QR() (QRCode, error) { return newQRCode(p.URL) }

// GroupedSecret is the secret in groups of four characters, which are easier to type.
func (p EnrolTOTPPage) GroupedSecret() string {
	var grouped strings.Builder
	for i, c := range p.Secret {
		if i > 0 && i%4 == 0 {
			grouped.WriteByte(' ')
		}
		grouped.WriteRune(c)
	}
	return grouped.String()
}

// RecoveryCodesPage shows new recovery codes, once.
type RecoveryCodesPage struct {
	Page
	Codes       []string
	ContinueURL string
}

// RecoveryCodes writes the page with new recovery codes.
func RecoveryCodes(w io.Writer, p RecoveryCodesPage) error {
	return render(w, p.Page, "recoverycodes", p)
}
