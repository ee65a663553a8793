package templates

import "io"

// SignOutPage asks before anything ends. The form posts handle and extent, the chosen Extent or "stay", to Action. Page.Account is
// the account that would be signed out.
type SignOutPage struct {
	Page
	Action      string
	Interaction string
	Application *App            // who asked; nil: the person did
	Choices     []SignOutChoice // the first is the default
	Offline     []string        // applications that keep offline access whatever is chosen
	Problem     string          // what was wrong with the request, as one sentence; the page may still offer to sign out
}

// SignOutChoice is one extent that is offered, with what it would do.
type SignOutChoice struct {
	Scope   LogoutScope
	Preview *Horizon // what would remain, for how long; nil: not said
}

// SignOut writes the sign-out confirmation.
func SignOut(w io.Writer, p SignOutPage) error { return render(w, "signout", p) }
