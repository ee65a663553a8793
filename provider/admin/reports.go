package admin

import (
	"context"
	"net/http"
	"slices"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/storage"
)

// ReportStore is what the routes of reports ask of the store.
type ReportStore interface {
	Report(ctx context.Context, id string) (storage.Report, error)
	ListReports(ctx context.Context, f storage.ReportFilter, p storage.Page) ([]storage.Report, string, error)
}

// Report is what became of something that ended: the report, and what it means now.
type Report struct {
	storage.Report
	Horizon logout.Estimate `json:"horizon"` // its rows are those of the report as they stand at this moment
}

// ReportList is a page of reports, newest first.
type ReportList struct {
	Reports []Report `json:"reports"`
	Next    string   `json:"next,omitempty"`
}

func (a *api) toReport(r storage.Report) Report {
	return Report{Report: r, Horizon: logout.AssessReport(r, a.Now())}
}

func (a *api) listReports(w http.ResponseWriter, r *http.Request) error {
	values, page, err := parsePage(r, "user", "client", "cause")
	if err != nil {
		return err
	}
	f := storage.ReportFilter{Client: values.Get("client"), Cause: values.Get("cause")}
	if f.Subject, err = a.resolveSubject(r.Context(), values.Get("user")); err != nil {
		return err
	}
	reports, next, err := a.Store.ListReports(r.Context(), f, page)
	if err != nil {
		return err
	}
	list := ReportList{Reports: make([]Report, 0, len(reports)), Next: next}
	for _, one := range reports {
		list.Reports = append(list.Reports, a.toReport(one))
	}
	return writeJSON(w, http.StatusOK, list)
}

func (a *api) showReport(w http.ResponseWriter, r *http.Request) error {
	report, err := a.Store.Report(r.Context(), r.PathValue("report"))
	if err != nil {
		return explainNotFound(err, "report", r.PathValue("report"))
	}
	return writeJSON(w, http.StatusOK, a.toReport(report))
}

// signReport hands out the report as a JWT that proves itself without this server.
func (a *api) signReport(w http.ResponseWriter, r *http.Request) error {
	report, err := a.Store.Report(r.Context(), r.PathValue("report"))
	if err != nil {
		return explainNotFound(err, "report", r.PathValue("report"))
	}
	events, err := a.reportEvents(r.Context(), report)
	if err != nil {
		return err
	}
	token, err := a.Keys.Sign(a.signingAlg(), logout.DocumentTyp, logout.NewDocument(a.Issuer, report, events, a.Now()))
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/jwt")
	w.Write([]byte(token))
	return nil
}

// signingAlg prefers the algorithm that makes short signatures.
func (a *api) signingAlg() string {
	algs := a.Keys.Algorithms()
	if slices.Contains(algs, keys.ES256) || len(algs) == 0 {
		return keys.ES256
	}
	return algs[0]
}

// reportEvents are the audit lines that a report names. They were written in the transaction of the ending.
func (a *api) reportEvents(ctx context.Context, report storage.Report) ([]storage.Event, error) {
	var found []storage.Event
	if len(report.Audit) == 0 {
		return found, nil
	}
	f := storage.EventFilter{Subject: report.Subject, Since: report.EndedAt}
	err := a.forEachEventPage(ctx, f, func(events []storage.Event) error {
		for _, e := range events {
			if slices.Contains(report.Audit, e.Seq) {
				found = append(found, e)
			}
		}
		if len(found) == len(report.Audit) {
			return errStop
		}
		return nil
	})
	return found, err
}
