package templates

import (
	"io"
	"time"
)

// ApplicationsPage lists what the person allowed. Its form posts handle and withdraw=ID or end-offline=ID.
type ApplicationsPage struct {
	AccountPage
	Action       string
	Applications []AppGrant
}

// AppGrant is one application with what it was allowed.
type AppGrant struct {
	ID          string // opaque; empty: nothing to withdraw, the administrator decided for everybody
	Application App
	Scopes      []string
	Claims      []string  // allowed one by one, beyond the scopes
	Since       time.Time // when it was allowed; zero: it was not asked
	LastUse     time.Time
	Devices     []string // sessions that use it now
	Offline     []OfflineAccess
}

// Applications writes "Applications".
func Applications(w io.Writer, p ApplicationsPage) error { return render(w, "applications", p) }

// Items puts what the application was allowed in words.
func (a AppGrant) Items() []ConsentItem {
	return ConsentPage{Scopes: a.Scopes, Claims: a.Claims}.Items()
}

// Tab names this page's tab.
func (p ApplicationsPage) Tab() string { return "applications" }
