package templates

import (
	"io"
	"time"
)

// ApplicationsPage lists what the person allowed. Its form posts handle and withdraw=ID or end-offline=ID.
type ApplicationsPage struct {
	AccountPage
	Action       string
	Applications []Allowed
}

// Allowed is one application with what it was allowed.
type Allowed struct {
	ID          string // opaque; empty: nothing to withdraw, the administrator decided for everybody
	Application Application
	Scopes      []string
	Claims      []string  // allowed one by one, beyond the scopes
	Since       time.Time // when it was allowed; zero: it was not asked
	LastUse     time.Time
	Devices     []string // sessions that use it now
	Offline     []Offline
}

// Applications writes "Applications".
func Applications(w io.Writer, p ApplicationsPage) error { return render(w, "applications", p) }

// Wishes puts what the application was allowed in words.
func (a Allowed) Wishes() []Wish { return ConsentPage{Scopes: a.Scopes, Claims: a.Claims}.Wishes() }

// Tab names this page's tab.
func (p ApplicationsPage) Tab() string { return "applications" }
