package templates

import (
	"io"
	"time"
)

// SessionsPage is the first account page: the devices on which the user is signed in. Its form posts interaction and
// one of
//
//	sign-out=ID          this session
//	not-me=ID            this session, which is not the user's
//	leave=ID             one app of one session (AppUse.ID)
//	end-offline=ID       one background access
//	scope=others | all | all-offline
type SessionsPage struct {
	AccountPage
	Action     string
	Sessions   []Session // this browser's first
	AllHorizon *Horizon  // the horizon if the user signed out everywhere now; nil: not shown
	Offline    []OfflineAccess
}

// Session is one signed-in browser.
type Session struct {
	ID           string // opaque
	Device       Device
	Address      string
	SignedIn     time.Time
	LastActive   time.Time
	Ends         time.Time // when it expires if it is not used
	Current      bool      // this browser's session
	RememberMe   bool      // "Keep me signed in" was ticked
	Applications []AppUse
}

// Sessions writes "Your devices".
func Sessions(w io.Writer, p SessionsPage) error { return render(w, p.Page, "sessions", p) }

// IfEndedNow returns the texts of AllHorizon.
func (p SessionsPage) IfEndedNow() HorizonTexts { return p.locale().ifEndedNow(*p.AllHorizon) }

// AppNames returns the names of the session's apps.
func (s Session) AppNames() []string {
	names := make([]string, 0, len(s.Applications))
	for _, use := range s.Applications {
		names = append(names, use.Name)
	}
	return names
}

// HasOthers reports whether the user has other sessions than this browser's.
func (p SessionsPage) HasOthers() bool { return len(p.Sessions) > 1 }

// Tab names this page's tab.
func (p SessionsPage) Tab() string { return "sessions" }
