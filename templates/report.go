package templates

import (
	"io"
	"time"
)

// ReportPage shows what became of one ended session.
type ReportPage struct {
	AccountPage
	Device        string // empty: no session ended, only access that the application had
	Address       string
	SignedIn      time.Time
	Ended         time.Time // t0
	Reason        string
	Application   string  // if only its share ended
	Horizon       Horizon // what may still be trusted, counted from Ended
	Entries       []Entry
	StatusJSONURL string // answers Status as JSON, with its Numbers; empty: the page stays as it is
	DownloadURL   string // the report as signed JSON
	MeaningURL    string // "What this means"
}

// Report writes the report of an ended session.
func Report(w io.Writer, p ReportPage) error { return render(w, "report", p) }

// Status is what the page shows now, and what its script asks for again and again.
func (p ReportPage) Status() Status {
	s := NewStatus(p.Entries, p.Ended, p.Now)
	n := p.Horizon.SinceEnd(p.Ended, p.Now)
	s.Horizon = &n
	return s
}

// ReasonText puts the reason in words.
func (p ReportPage) ReasonText() string { return reasonTexts[p.Reason] }

// Tab names this page's tab.
func (p ReportPage) Tab() string { return "activity" }
