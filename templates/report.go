package templates

import (
	"io"
	"time"
)

// ReportPage shows what became of one ended session.
type ReportPage struct {
	AccountPage
	Device        Device
	Address       string
	SignedIn      time.Time
	Ended         time.Time
	Reason        string
	Application   string  // if only its client session ended
	Horizon       Horizon // what may still be accepted, counted from Ended
	Entries       []Entry
	StatusJSONURL string // answers Status as JSON, with its Horizon; empty: the page stays as it is
	DownloadURL   string // the report as signed JSON
	MeaningURL    string // "What do these words mean?"
	AccessOnly    bool   // no session ended, only access that the app had
}

// Report writes the report of an ended session.
func Report(w io.Writer, p ReportPage) error { return render(w, p.Page, "report", p) }

// Status is what the page shows now, and what its script asks for again and again.
func (p ReportPage) Status() Status {
	s := NewStatus(p.Lang, p.Entries, p.Ended, p.Now)
	n := p.locale().sinceEnd(p.Horizon, p.Ended, p.Now)
	s.Horizon = &n
	return s
}

// Tab names this page's tab.
func (p ReportPage) Tab() string { return "activity" }
