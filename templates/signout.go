package templates

import "io"

// SignOutPage asks the user to confirm a sign-out. The form posts interaction and scope to Action; scope is a
// LogoutScope or "stay". Page.Account is the account that would be signed out.
type SignOutPage struct {
	Page
	Action      string
	Interaction string
	Application *App            // the app that asks for the sign-out; nil: the user does
	Choices     []SignOutChoice // the first is the default
	Offline     []string        // apps that keep background access with any choice
	Problem     ErrorText       // of an invalid logout request; the page still offers to sign out
}

// SignOutChoice is one logout scope that the page offers, with its effects.
type SignOutChoice struct {
	Scope      LogoutScope
	Notified   []string // apps that will be notified
	Unnotified []string // apps that cannot be notified
	Preview    *Horizon // the horizon if the session ended now; nil: not shown
}

// SignOut writes the sign-out confirmation.
func SignOut(w io.Writer, p SignOutPage) error { return render(w, p.Page, "signout", p) }

// ProblemDetail returns the detail of Problem for the app's administrator.
func (p SignOutPage) ProblemDetail() Text { return p.locale().errorDetail(p.Problem, "") }

// maxNamedApps is the longest list of apps that appNames writes out.
const maxNamedApps = 3

// appNames returns a list of the apps, or only their number if they are more than maxNamedApps.
func (l *locale) appNames(names []string) Text {
	if len(names) > maxNamedApps {
		return l.text("signout.apps", "Count", len(names))
	}
	return l.list(names)
}
