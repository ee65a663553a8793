package admin

import (
	"context"
	"net/http"
	"slices"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/storage"
)

// ReportStore has the methods of the store that the routes of reports call.
type ReportStore interface {
	Report(ctx context.Context, id string) (storage.Report, error)
	ListReports(
		ctx context.Context,
		f storage.ReportFilter,
		p storage.Page,
	) (reports []storage.Report, next string, err error)
}

// Report is the report of one termination, with its trust horizon at the time of the request.
type Report struct {
	storage.Report
	Horizon logout.Estimate `json:"horizon"` // it has the entries of the report, with their current state
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
	for _, report := range reports {
		list.Reports = append(list.Reports, a.toReport(report))
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

// signReport answers with the report as a signed JWT, which can be verified without this server.
func (a *api) signReport(w http.ResponseWriter, r *http.Request) error {
	report, err := a.Store.Report(r.Context(), r.PathValue("report"))
	if err != nil {
		return explainNotFound(err, "report", r.PathValue("report"))
	}
	events, err := a.reportEvents(r.Context(), report)
	if err != nil {
		return err
	}
	document := logout.NewDocument(a.Issuer, report, events, a.Now())
	token, err := a.Keys.Sign(a.signingAlg(), logout.DocumentTyp, document)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/jwt")
	w.Write([]byte(token))
	return nil
}

// signingAlg returns ES256, whose signatures are short. If the provider has no key for it, signingAlg returns the first
// algorithm that has one.
func (a *api) signingAlg() string {
	algs := a.Keys.Algorithms()
	if slices.Contains(algs, keys.ES256) || len(algs) == 0 {
		return keys.ES256
	}
	return algs[0]
}

// reportEvents returns the audit events of a report. The transaction of the termination has written them, so they are
// not older than the termination.
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
