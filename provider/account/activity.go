package account

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/curfew-id/curfew/provider/authn"
	"github.com/curfew-id/curfew/provider/logoutview"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// shownEvents are the kinds of audit events that the page shows.
var shownEvents = []string{
	"session.created",
	"session.ended",
	"client_session.ended",
	"grant.ended",
	"user.password",
	"user.email",
	"user.secured",
	authn.EventFactorAdded,
	authn.EventFactorRemoved,
	authn.EventFactorRenamed,
	authn.EventRecoveryCodes,
	authn.EventRecoveryUsed,
	authn.EventBrowserRemembered,
}

const eventsPerPage = 30

// Activity handles GET /account/activity: the user's recent sign-ins and sign-outs, newest first, with their reports.
func (h *Handler) Activity(w http.ResponseWriter, r *http.Request) error {
	v, ok, err := h.requireViewer(w, r)
	if !ok {
		return err
	}
	page, err := h.activityPage(w, r, v)
	if err != nil {
		return err
	}
	web.PageHeaders(w, web.PagePolicy{FormsToSelf: true})
	h.Site.LogRenderError(r, templates.Activity(w, page))
	return nil
}

func (h *Handler) activityPage(w http.ResponseWriter, r *http.Request, v viewer) (templates.ActivityPage, error) {
	ctx := r.Context()
	accountPage, err := h.accountPage(w, r, v)
	page := templates.ActivityPage{AccountPage: accountPage}
	if err != nil {
		return page, err
	}
	events, next, err := h.shownEventsAfter(ctx, v.user.Subject, r.URL.Query().Get("after"))
	if err != nil {
		return page, err
	}
	if next != "" {
		page.OlderURL = h.Site.Path("/account/activity?after=" + url.QueryEscape(next))
	}
	reportByEvent, deviceBySession, err := h.eventReports(ctx, v, events)
	if err != nil {
		return page, err
	}
	appName := h.appNames(ctx)
	for _, e := range events {
		event := templates.Event{
			At:      e.At,
			Kind:    e.Kind,
			Reason:  string(e.Reason),
			Device:  deviceBySession[e.Session],
			Address: e.Address,
		}
		report, hasReport := reportByEvent[e.Seq]
		if hasReport {
			event.ReportURL = h.Site.Path("/account/reports/" + report.ID)
			event.Reason = string(report.Cause.Reason)
			if coversSession(report) {
				event.Address = report.Address // of the browser that had the session, not of the one that ended it
			}
		}
		entryOfClient := slices.IndexFunc(report.Entries, func(entry storage.ReportEntry) bool {
			return entry.Client == e.Client
		})
		if entryOfClient >= 0 {
			event.Application = report.Entries[entryOfClient].ClientName // the report keeps the name of a removed client
		} else if e.Client != "" {
			event.Application = appName(e.Client)
		}
		page.Events = append(page.Events, event)
	}
	return page, nil
}

// shownEventsAfter returns at least eventsPerPage of the user's events that the page shows, if there are so many. next
// is the parameter after of the next page. It is empty on the last page.
func (h *Handler) shownEventsAfter(
	ctx context.Context,
	subject string,
	after string,
) (events []storage.Event, next string, err error) {
	filter := storage.EventFilter{Subject: subject, Newest: true}
	next = after
	for len(events) < eventsPerPage {
		var batch []storage.Event
		batch, next, err = h.Store.ListEvents(ctx, filter, storage.Page{After: next, Limit: eventsPerPage})
		if err != nil {
			return nil, "", err
		}
		for _, e := range batch {
			if slices.Contains(shownEvents, e.Kind) {
				events = append(events, e)
			}
		}
		if next == "" {
			break
		}
	}
	return events, next, nil
}

// eventReports returns the report of each event, by the event's sequence number, and the browser of each session, by
// the session's hash. The record of an active session has its browser, and so has the report of an ended session. A
// report is younger than the events of its session, so reports older than all events are not read.
func (h *Handler) eventReports(
	ctx context.Context,
	v viewer,
	events []storage.Event,
) (reportByEvent map[uint64]storage.Report, deviceBySession map[string]templates.Device, err error) {
	reportByEvent = map[uint64]storage.Report{}
	deviceBySession = map[string]templates.Device{}
	if len(events) == 0 {
		return reportByEvent, deviceBySession, nil
	}
	sessions, err := h.sessions(ctx, v)
	if err != nil {
		return nil, nil, err
	}
	for _, s := range sessions {
		deviceBySession[storage.SessionHash(s.ID)] = templates.ParseDevice(s.UserAgent)
	}
	oldest := slices.MinFunc(events, func(a, b storage.Event) int { return a.At.Compare(b.At) }).At
	filter := storage.ReportFilter{Subject: v.user.Subject}
	var page storage.Page
	for {
		reports, next, err := h.Store.ListReports(ctx, filter, page)
		if err != nil {
			return nil, nil, err
		}
		for _, report := range reports {
			if report.EndedAt.Before(oldest) {
				return reportByEvent, deviceBySession, nil
			}
			if coversSession(report) {
				deviceBySession[report.SessionHash] = templates.ParseDevice(report.UserAgent)
			}
			for _, seq := range report.Audit {
				if slices.ContainsFunc(events, func(e storage.Event) bool { return e.Seq == seq }) {
					reportByEvent[seq] = report
				}
			}
		}
		if next == "" {
			return reportByEvent, deviceBySession, nil
		}
		page.After = next
	}
}

// coversSession reports whether the report is about a session or a client session, and not only about a grant.
func coversSession(report storage.Report) bool { return !report.AuthTime.IsZero() }

// findReport returns the report in the path. If ok is false and err is nil, the user is not signed in and findReport
// has redirected to the sign-in page. A report about another user counts as not found.
func (h *Handler) findReport(
	w http.ResponseWriter,
	r *http.Request,
) (v viewer, report storage.Report, ok bool, err error) {
	v, ok, err = h.requireViewer(w, r)
	if !ok {
		return v, storage.Report{}, false, err
	}
	notFound := web.PageError{Status: http.StatusNotFound, Reason: "the user has no such report"}
	report, err = h.Store.Report(r.Context(), r.PathValue("report"))
	if errors.Is(err, storage.ErrNotFound) {
		return v, report, false, notFound
	}
	if err != nil {
		return v, report, false, err
	}
	if report.Subject != v.user.Subject {
		return v, report, false, notFound
	}
	return v, report, true, nil
}

func (h *Handler) reportPage(report storage.Report) templates.ReportPage {
	now := h.Site.Now()
	reportURL := h.Site.Path("/account/reports/" + report.ID)
	page := templates.ReportPage{
		Address:       report.Address,
		SignedIn:      report.AuthTime,
		Ended:         report.EndedAt,
		Reason:        string(report.Cause.Reason),
		Horizon:       logoutview.ReportHorizon(report, h.Upstreams, now),
		Entries:       logoutview.ReportEntries(report, now),
		AccessOnly:    !coversSession(report),
		StatusJSONURL: reportURL + "/status.json",
		DownloadURL:   reportURL + "/report.jwt",
		MeaningURL:    h.Site.Path(logoutview.MeaningPath),
	}
	if coversSession(report) {
		page.Device = templates.ParseDevice(report.UserAgent)
	}
	if !report.WholeSession && len(page.Entries) > 0 {
		page.Application = page.Entries[0].Application
	}
	page.Now = now
	return page
}

// Report handles GET /account/reports/{report}: the current report of one termination. A script keeps it up to date.
func (h *Handler) Report(w http.ResponseWriter, r *http.Request) error {
	v, report, ok, err := h.findReport(w, r)
	if !ok {
		return err
	}
	accountPage, err := h.accountPage(w, r, v)
	if err != nil {
		return err
	}
	page := h.reportPage(report)
	page.AccountPage = accountPage
	web.PageHeaders(w, web.PagePolicy{FormsToSelf: true})
	h.Site.LogRenderError(r, templates.Report(w, page))
	return nil
}

// ReportStatus handles GET /account/reports/{report}/status.json, which the page's script polls. Without a session it
// answers 401, because a script cannot follow a redirect to the sign-in page.
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
	case errors.Is(err, storage.ErrNotFound):
		w.WriteHeader(http.StatusNotFound)
		return
	case err != nil:
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case report.Subject != session.Subject:
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	h.Site.LogRenderError(r, json.NewEncoder(w).Encode(h.reportPage(report).Status()))
}

// DownloadReport handles GET /account/reports/{report}/report.jwt: the current report as a signed JWT.
func (h *Handler) DownloadReport(w http.ResponseWriter, r *http.Request) error {
	_, report, ok, err := h.findReport(w, r)
	if !ok {
		return err
	}
	jwt, err := h.SignReport(r.Context(), report, h.Site.Now())
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/jwt")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Disposition", `attachment; filename="logout-report.jwt"`)
	_, err = w.Write([]byte(jwt))
	h.Site.LogRenderError(r, err)
	return nil
}
