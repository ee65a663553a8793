package templates

import (
	"io"
	"time"
)

// SessionsPage is the account's first page: where the person is signed in. Its one form posts handle and one of
//
//	sign-out=ID          this session
//	not-me=ID            this session, which was not the person's
//	leave=ID             one application of one session (Use.ID)
//	end-offline=ID       one offline access
//	extent=selected      with session=ID for each ticked box
//	extent=others | everywhere | everywhere-offline
type SessionsPage struct {
	AccountPage
	Action     string
	Sessions   []Session // this one first
	AllHorizon *Horizon  // if the person signed out everywhere now; nil: not said
	Offline    []OfflineAccess
}

// Session is one signed-in browser.
type Session struct {
	ID           string // opaque
	Device       string // "Firefox on Linux": see Device
	Address      string
	SignedIn     time.Time
	LastActive   time.Time
	Ends         time.Time // by itself, if it is not used
	Current      bool      // the one that shows this page
	RememberMe   bool      // "keep me signed in" was ticked
	Applications []AppUse
}

// Sessions writes "Where you are signed in".
func Sessions(w io.Writer, p SessionsPage) error { return render(w, "sessions", p) }

// Count sums the page up: how many browsers, and how many different applications.
func (p SessionsPage) Count() string {
	names := map[string]bool{}
	for _, s := range p.Sessions {
		for _, u := range s.Applications {
			names[u.Name] = true
		}
	}
	return capitalize(pluralize(len(p.Sessions), "browser")) + ", " + pluralize(len(names), "application") + "."
}

// HasOthers tells whether there is a session beside this one.
func (p SessionsPage) HasOthers() bool { return len(p.Sessions) > 1 }

// Tab names this page's tab.
func (p SessionsPage) Tab() string { return "sessions" }
