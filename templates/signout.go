package templates

import "io"

// SignOutPage asks before anything ends. The form posts interaction and scope, the chosen LogoutScope or "stay", to
// Action. Page.Account is the account that would be signed out.
type SignOutPage struct {
	Page
	Action      string
	Interaction string
	Application *App            // who asked; nil: the user did
	Choices     []SignOutChoice // the first is the default
	Offline     []string        // apps that keep background access whatever is chosen
	Problem     ErrorText       // what was wrong with the request; the page still offers to sign out
}

// SignOutChoice is one scope that is offered, with what it would do.
type SignOutChoice struct {
	Scope      LogoutScope
	Notified   []string // apps that will be asked to sign the user out
	Unnotified []string // apps that cannot be asked
	Preview    *Horizon // what would remain, for how long; nil: not shown
}

// SignOut writes the sign-out confirmation.
func SignOut(w io.Writer, p SignOutPage) error { return render(w, p.Page, "signout", p) }

// ProblemDetail is the sentence about Problem for the app's administrator.
func (p SignOutPage) ProblemDetail() Text { return p.locale().errorDetail(p.Problem, "") }

// maxNamedApps is how many apps a sentence names; more are counted.
const maxNamedApps = 3

// appNames names few apps and counts many.
func (l *locale) appNames(names []string) Text {
	if len(names) > maxNamedApps {
		return l.text("signout.apps", "Count", len(names))
	}
	return l.list(names)
}
