package templates

import "time"

// AccountPage is what the pages of the account share. Their forms post handle to their Action, and what each struct says.
type AccountPage struct {
	Page
	Interaction     string
	SessionsURL     string
	ApplicationsURL string
	SecurityURL     string
	ActivityURL     string
	SignOutURL      string // leads to the sign-out confirmation
	Notice          string // what was just done, as one sentence; empty: nothing
	NoticeURL       string // where the notice's link leads; empty: no link
	NoticeLink      string // its text; empty: "See the report"
}

// AppUse is one application of a session.
type AppUse struct {
	ID      string // opaque; posted as leave=ID to sign out of this application in that session
	Name    string
	LastUse time.Time
}

// OfflineAccess is an application's access without the person (Core §11): it survives a sign-out and ends by its own button.
type OfflineAccess struct {
	ID          string // opaque; posted as end-offline=ID
	Application string
	Device      string // where it was given
	Since       time.Time
	LastUse     time.Time
	Ends        time.Time // by itself; zero: never
}
