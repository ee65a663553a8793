package templates

import "io"

// SecurityPage changes password and email address. The password form posts interaction, current-password,
// new-password, repeat-password and scope to PasswordAction; the email form interaction, email, current-password and
// scope to EmailAction. scope says which sessions the change ends. The form of background access posts interaction
// and end-offline=ID to BackgroundAction.
type SecurityPage struct {
	AccountPage
	PasswordAction   string
	EmailAction      string
	BackgroundAction string
	Login            string
	Email            string // as it is, or as it was typed when EmailProblem is set
	MinPassword      int    // shortest password allowed, in characters; 0: not shown
	PasswordProblem  Problem
	EmailProblem     Problem
	Offline          []OfflineAccess
	SessionScopes    []LogoutScope // which sessions may be chosen to end, the default first: others, everywhere
}

// Security writes "Security".
func Security(w io.Writer, p SecurityPage) error { return render(w, p.Page, "security", p) }

// sessionChoice is the choice of what a change ends, in the form of that name.
type sessionChoice struct {
	Form   string
	Scopes []LogoutScope
}

// Tab names this page's tab.
func (p SecurityPage) Tab() string { return "security" }
