package templates

import (
	"io"
	"time"
)

// ReportPage shows the report of one ended session: the state of each app.
type ReportPage struct {
	AccountPage
	Device        Device
	Address       string
	SignedIn      time.Time
	Ended         time.Time
	Reason        string
	Application   string  // the app whose client session ended; empty: the whole session ended
	Horizon       Horizon // what may still be accepted, counted from Ended
	Entries       []Entry
	StatusJSONURL string // answers Status as JSON, with its Horizon; empty: the page is not updated
	DownloadURL   string // the report as a signed JWT
	MeaningURL    string // "What do these words mean?"
	AccessOnly    bool   // only access of an app ended, and no session
}

// Report writes the report of an ended session.
func Report(w io.Writer, p ReportPage) error { return render(w, p.Page, "report", p) }

// Status returns the current status. The page shows it, and its script polls it as JSON.
func (p ReportPage) Status() Status {
	s := NewStatus(p.Lang, p.Entries, p.Ended, p.Now)
	horizon := p.locale().sinceEnd(p.Horizon, p.Ended, p.Now)
	s.Horizon = &horizon
	return s
}

// Tab names this page's tab.
func (p ReportPage) Tab() string { return "activity" }
