package account

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/curfew-id/curfew/provider/signout"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// shown are the audit lines that concern a person.
var shown = []string{"session.created", "session.ended", "membership.ended", "grant.ended", "user.password", "user.email"}

const activityPage = 30

// Activity is GET /account/activity: recent sign-ins and endings, newest first, with their reports.
func (h *Handler) Activity(w http.ResponseWriter, r *http.Request) {
	who, ok := h.enter(w, r)
	if !ok {
		return
	}
	page, err := h.activityPage(w, r, who)
	if err != nil {
		h.Site.Error(w, r, web.FaultOf(err))
		return
	}
	web.PageHeaders(w, web.PagePolicy{FormSelf: true})
	h.Site.Render(r, templates.Activity(w, page))
}

func (h *Handler) activityPage(w http.ResponseWriter, r *http.Request, who person) (templates.ActivityPage, error) {
	ctx := r.Context()
	shell, err := h.shell(w, r, who)
	page := templates.ActivityPage{AccountPage: shell}
	if err != nil {
		return page, err
	}
	// A line of an ending leads to its report by its sequence number.
	reports, _, err := h.Store.ListReports(ctx, storage.ReportFilter{Subject: who.user.Subject}, storage.Page{Limit: 200})
	if err != nil {
		return page, err
	}
	sessions, err := h.sessions(ctx, who)
	if err != nil {
		return page, err
	}
	reportOf, device := map[uint64]storage.Report{}, map[string]string{} // device by the session's hash
	for _, s := range sessions {
		device[storage.SessionHash(s.ID)] = templates.Device(s.UserAgent)
	}
	for _, report := range reports {
		device[report.Session] = templates.Device(report.UserAgent)
		for _, seq := range report.Audit {
			reportOf[seq] = report
		}
	}
	name := h.names(ctx)
	after := r.URL.Query().Get("after")
	for len(page.Events) < activityPage {
		events, next, err := h.Store.ListEvents(ctx, storage.EventFilter{Subject: who.user.Subject, Newest: true}, storage.Page{After: after, Limit: activityPage})
		if err != nil {
			return page, err
		}
		for _, e := range events {
			if !slices.Contains(shown, e.Kind) {
				continue
			}
			line := templates.Event{At: e.At, Kind: e.Kind, Reason: string(e.Reason), Device: device[e.Session], Address: e.Address}
			if e.Client != "" {
				line.Application = name(e.Client)
			}
			if report, ok := reportOf[e.Seq]; ok {
				line.ReportURL = h.Site.Path("/account/reports/" + report.ID)
				line.Device = templates.Device(report.UserAgent)
				line.Reason = string(report.Cause.Reason)
			}
			page.Events = append(page.Events, line)
		}
		if after = next; next == "" {
			return page, nil
		}
	}
	page.OlderURL = h.Site.Path("/account/activity?after=" + url.QueryEscape(after))
	return page, nil
}

// report finds one of the person's own reports.
func (h *Handler) report(w http.ResponseWriter, r *http.Request) (person, storage.Report, bool) {
	who, ok := h.enter(w, r)
	if !ok {
		return who, storage.Report{}, false
	}
	report, err := h.Store.Report(r.Context(), r.PathValue("report"))
	if err == nil && report.Subject != who.user.Subject || errors.Is(err, storage.ErrNotFound) {
		h.Site.Error(w, r, web.Fault{Status: http.StatusNotFound})
		return who, report, false
	}
	if err != nil {
		h.Site.Error(w, r, web.FaultOf(err))
		return who, report, false
	}
	return who, report, true
}

func (h *Handler) reportPage(r *http.Request, report storage.Report) templates.ReportPage {
	now := h.Site.Now()
	self := h.Site.Path("/account/reports/" + report.ID)
	page := templates.ReportPage{Device: templates.Device(report.UserAgent), Address: report.Address, SignedIn: report.AuthTime, Ended: report.At,
		Reason: string(report.Cause.Reason), Horizon: signout.FiguresOf(report, now), Holders: signout.Holders(report, now),
		StatusJSONURL: self + "/status.json", DownloadURL: self + "/report.jwt", MeansURL: h.Site.Path(signout.MeaningPath)}
	if !report.Whole && len(report.Rows) > 0 {
		page.Application = h.names(r.Context())(report.Rows[0].Client)
	}
	page.Now = now
	return page
}

// Report is GET /account/reports/{report}: what became of one ending, live.
func (h *Handler) Report(w http.ResponseWriter, r *http.Request) {
	who, report, ok := h.report(w, r)
	if !ok {
		return
	}
	shell, err := h.shell(w, r, who)
	if err != nil {
		h.Site.Error(w, r, web.FaultOf(err))
		return
	}
	page := h.reportPage(r, report)
	page.AccountPage = shell
	web.PageHeaders(w, web.PagePolicy{FormSelf: true})
	h.Site.Render(r, templates.Report(w, page))
}

// ReportStatus is GET /account/reports/{report}/status.json, which the page's script asks for. It leads no script to the sign-in page.
func (h *Handler) ReportStatus(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	session, ok, err := h.Site.Session(r)
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if !ok {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	report, err := h.Store.Report(r.Context(), r.PathValue("report"))
	switch {
	case errors.Is(err, storage.ErrNotFound), err == nil && report.Subject != session.Subject:
		w.WriteHeader(http.StatusNotFound)
		return
	case err != nil:
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	h.Site.Render(r, json.NewEncoder(w).Encode(h.reportPage(r, report).Status()))
}

// DownloadReport is GET /account/reports/{report}/report.jwt: the report as it stands, signed.
func (h *Handler) DownloadReport(w http.ResponseWriter, r *http.Request) {
	_, report, ok := h.report(w, r)
	if !ok {
		return
	}
	text, err := h.SignReport(r.Context(), report, h.Site.Now())
	if err != nil {
		h.Site.Error(w, r, web.FaultOf(err))
		return
	}
	w.Header().Set("Content-Type", "application/jwt")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Disposition", `attachment; filename="logout-report.jwt"`)
	_, err = w.Write([]byte(text))
	h.Site.Render(r, err)
}
