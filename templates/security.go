package templates

import (
	"io"
	"slices"
)

// SecurityPage has three forms. The password form posts interaction, current-password, new-password, repeat-password
// and scope to PasswordAction; scope says which sessions the change ends. The e-mail form posts interaction, email and
// current-password to EmailAction. The form of background access posts interaction and
// end-offline=ID to BackgroundAction.
type SecurityPage struct {
	AccountPage
	FactorsURL       string // passkeys and second factors; empty: no link
	PasswordAction   string
	EmailAction      string // empty: only an operator changes the address
	BackgroundAction string
	Login            string
	Email            string // the current address; with an EmailProblem, the address that the user typed
	MinPassword      int    // the minimum length, in characters; 0: not shown
	PasswordProblem  Problem
	EmailProblem     Problem
	Offline          []OfflineAccess
	HasFactors       bool          // passkeys or second factors stay after a change
	SessionScopes    []LogoutScope // ScopeOthers and ScopeAll, the default first
}

// Security writes "Security".
func Security(w io.Writer, p SecurityPage) error { return render(w, p.Page, "security", p) }

// sessionChoice is the choice of the sessions that a change ends.
type sessionChoice struct {
	Form       string // the name of the form with the choice
	Scopes     []LogoutScope
	Background []string // apps with background access; empty: there is nothing to keep
	HasFactors bool
}

// BackgroundApps returns the names of the apps with background access, each once.
func BackgroundApps(list []OfflineAccess) []string {
	var names []string
	for _, access := range list {
		if !slices.Contains(names, access.Application) {
			names = append(names, access.Application)
		}
	}
	return names
}

// Tab names this page's tab.
func (p SecurityPage) Tab() string { return "security" }
