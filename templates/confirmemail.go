package templates

import "io"

// ConfirmEmailPage asks whether a new address is right. The form posts interaction and scope to Action, as the forms of
// SecurityPage do.
type ConfirmEmailPage struct {
	AccountPage
	Action        string
	Login         string
	Email         string // the new address
	Offline       []OfflineAccess
	HasFactors    bool          // passkeys or second factors stay
	SessionScopes []LogoutScope // ScopeOthers and ScopeAll, the default first
}

// ConfirmEmail writes the page of the link that was mailed to a new address.
func ConfirmEmail(w io.Writer, p ConfirmEmailPage) error { return render(w, p.Page, "confirmemail", p) }
