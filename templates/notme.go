package templates

import "io"

// NotMePage asks whether to protect an account that someone else may be using. The form posts interaction to Action.
type NotMePage struct {
	Page
	Action         string
	Interaction    string
	Login          string
	RemovesFactors bool   // sign-in methods were added since the event
	RestoredEmail  string // the former address, which becomes the user's again; empty: the address stays
	HasPassword    bool
	MayReset       bool // the user sets a new password next; otherwise an administrator helps
}

// NotMe writes the page of the link in a notice.
func NotMe(w io.Writer, p NotMePage) error { return render(w, p.Page, "notme", p) }
