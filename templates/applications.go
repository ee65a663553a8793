package templates

import (
	"io"
	"time"
)

// ApplicationsPage lists the apps that have access. Its form posts interaction and withdraw=ID or end-offline=ID.
type ApplicationsPage struct {
	AccountPage
	Action       string
	Applications []AppGrant
}

// AppGrant is one app with what it was allowed.
type AppGrant struct {
	ID          string // opaque; empty: nothing to withdraw, the administrator decided for all users
	Application App
	Scopes      []string
	Claims      []string  // allowed one by one, beside the scopes
	Since       time.Time // when it was allowed; zero: the user was not asked
	LastUse     time.Time
	Devices     []Device // sessions that use it now
	Offline     []OfflineAccess
}

// Applications writes "Apps".
func Applications(w io.Writer, p ApplicationsPage) error { return render(w, p.Page, "applications", p) }

// Items lists what the app was allowed.
func (a AppGrant) Items() []ConsentItem {
	return ConsentPage{Scopes: a.Scopes, Claims: a.Claims}.Items()
}

// Tab names this page's tab.
func (p ApplicationsPage) Tab() string { return "applications" }
