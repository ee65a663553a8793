package account

import (
	"context"
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
	var events []storage.Event
	after := r.URL.Query().Get("after")
	for len(events) < activityPage {
		some, next, err := h.Store.ListEvents(ctx, storage.EventFilter{Subject: who.user.Subject, Newest: true}, storage.Page{After: after, Limit: activityPage})
		if err != nil {
			return page, err
		}
		for _, e := range some {
			if slices.Contains(shown, e.Kind) {
				events = append(events, e)
			}
		}
		if after = next; next == "" {
			break
		}
	}
	if after != "" {
		page.OlderURL = h.Site.Path("/account/activity?after=" + url.QueryEscape(after))
	}
	reportOf, device, err := h.endings(ctx, who, events)
	if err != nil {
		return page, err
	}
	name := h.names(ctx)
	for _, e := range events {
		line := templates.Event{At: e.At, Kind: e.Kind, Reason: string(e.Reason), Device: device[e.Session], Address: e.Address}
		report, reported := reportOf[e.Seq]
		if reported {
			line.ReportURL = h.Site.Path("/account/reports/" + report.ID)
			line.Reason = string(report.Cause.Reason)
			if ofSession(report) {
				line.Address = report.Address // where the browser was, not whoever ended it
			}
		}
		if of := slices.IndexFunc(report.Rows, func(row storage.Row) bool { return row.Client == e.Client }); of >= 0 {
			line.Application = report.Rows[of].Name // known there even if it is gone
		} else if e.Client != "" {
			line.Application = name(e.Client)
		}
		page.Events = append(page.Events, line)
	}
	return page, nil
}

// endings finds the report of each line, by its sequence number, and the browser of each session, by its hash: a session that does not live ended after all its
// other lines.
func (h *Handler) endings(ctx context.Context, who person, events []storage.Event) (reportOf map[uint64]storage.Report, device map[string]string, err error) {
	reportOf, device = map[uint64]storage.Report{}, map[string]string{}
	if len(events) == 0 {
		return reportOf, device, nil
	}
	sessions, err := h.sessions(ctx, who)
	if err != nil {
		return nil, nil, err
	}
	for _, s := range sessions {
		device[storage.SessionHash(s.ID)] = templates.Device(s.UserAgent)
	}
	oldest := slices.MinFunc(events, func(a, b storage.Event) int { return a.At.Compare(b.At) }).At
	for after := ""; ; {
		reports, next, err := h.Store.ListReports(ctx, storage.ReportFilter{Subject: who.user.Subject}, storage.Page{After: after})
		if err != nil {
			return nil, nil, err
		}
		for _, report := range reports {
			if report.At.Before(oldest) {
				return reportOf, device, nil
			}
			if ofSession(report) {
				device[report.Session] = templates.Device(report.UserAgent)
			}
			for _, seq := range report.Audit {
				if slices.ContainsFunc(events, func(e storage.Event) bool { return e.Seq == seq }) {
					reportOf[seq] = report
				}
			}
		}
		if after = next; next == "" {
			return reportOf, device, nil
		}
	}
}

// ofSession tells whether a session or a share of one ended, and not only a grant.
func ofSession(report storage.Report) bool { return !report.AuthTime.IsZero() }

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

func (h *Handler) reportPage(report storage.Report) templates.ReportPage {
	now := h.Site.Now()
	self := h.Site.Path("/account/reports/" + report.ID)
	page := templates.ReportPage{Address: report.Address, SignedIn: report.AuthTime, Ended: report.At,
		Reason: string(report.Cause.Reason), Horizon: signout.FiguresOf(report, now), Holders: signout.Holders(report, now),
		StatusJSONURL: self + "/status.json", DownloadURL: self + "/report.jwt", MeansURL: h.Site.Path(signout.MeaningPath)}
	if ofSession(report) {
		page.Device = templates.Device(report.UserAgent)
	}
	if !report.Whole && len(page.Holders) > 0 {
		page.Application = page.Holders[0].Application // known there even if it is gone
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
	page := h.reportPage(report)
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
	h.Site.Render(r, json.NewEncoder(w).Encode(h.reportPage(report).Status()))
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
