package signout

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// MeaningPath explains the words of the signed-out page and of reports.
const MeaningPath = "/signed-out/meaning"

// EvictPath is a style sheet whose answer empties the browser's back-forward cache.
const EvictPath = "/signed-out/evict.css"

// ended is what the status page needs; it travels in a handle bound to the browser's cookie.
type ended struct {
	Cause   string           `json:"c"`
	At      int64            `json:"a"` // milliseconds
	Extent  templates.Extent `json:"x"`
	Verdict verdict          `json:"v"`
	Offline []string         `json:"o,omitempty"`
}

// end ends what was chosen and answers the browser. Where the commit fails nobody is told that they are signed out, and the cookie stays.
func (h *Handler) end(w http.ResponseWriter, r *http.Request, d verdict, session *storage.Session, extent templates.Extent) {
	cause := storage.Cause{Reason: storage.ReasonLogout, By: "user:" + session.Subject, Client: d.Client, Address: h.Site.Address(r)}
	if extent == templates.ExtentApplication {
		cause.Reason = storage.ReasonApplication
	}
	h.leave(w, r, d, session, extent, selector(extent, session, d.Client), cause, storage.Change{})
}

// Leave ends sessions, this browser's among them, and answers with the signed-out page. The account page uses it.
func (h *Handler) Leave(w http.ResponseWriter, r *http.Request, session *storage.Session, extent templates.Extent, sel storage.Selector, cause storage.Cause, change storage.Change) {
	h.leave(w, r, verdict{}, session, extent, sel, cause, change)
}

func (h *Handler) leave(w http.ResponseWriter, r *http.Request, d verdict, session *storage.Session, extent templates.Extent, sel storage.Selector, cause storage.Cause, change storage.Change) {
	ctx := r.Context()
	outcome, err := h.Ender.End(ctx, sel, cause, change)
	if err != nil {
		h.notYet(w, r, err)
		return
	}
	// From here on the ending is a fact: what goes wrong with the page about it must not read as if it were not.
	if extent != templates.ExtentApplication && h.Site.HasSessionCookie(r) {
		h.Site.ClearSession(w)
	}
	left, others, told := []string{}, false, false
	for _, e := range outcome.Ended {
		for _, m := range e.Session.Members {
			left = append(left, m.Client)
			others = others || m.Client != d.Client
			if c := e.Clients[m.Client]; c != nil && (c.BackchannelLogoutURI != "" || c.FrontchannelLogoutURI != "") {
				told = true
			}
		}
	}
	h.Site.MarkLeft(w, r, left...)
	if d.Target != "" && !others && !told {
		// Nobody to wait for and nothing to show.
		w.Header().Set("Set-Login", loginStatus(extent))
		web.Redirect(w, d.target())
		return
	}
	offline, err := h.offlineNames(ctx, session.Subject)
	if err != nil {
		h.Site.Logger().LogAttrs(ctx, web.Level(r), "offline access not listed", slog.Any("err", err))
	}
	e := ended{Cause: outcome.CauseID, At: outcome.At.UnixMilli(), Extent: extent, Verdict: d, Offline: offline}
	handle, err := h.Site.Handle(w, r, purposeStatus, e, statusLife)
	if err != nil { // too long a list for a handle: it is on the account page too
		e.Offline = nil
		handle, err = h.Site.Handle(w, r, purposeStatus, e, statusLife)
	}
	if err != nil {
		h.Site.Logger().LogAttrs(ctx, web.Level(r), "no status page", slog.Any("err", err))
	}
	frames := outcome.Frames()
	frames = frames[:min(len(frames), framesMax)]
	h.asked(ctx, frames, outcome.At)
	h.page(w, r, e, handle, frames)
}

// loginStatus is the value of Set-Login: whether anybody is still signed in here.
func loginStatus(extent templates.Extent) string {
	if extent == templates.ExtentApplication {
		return "logged-in"
	}
	return "logged-out"
}

// asked notes which applications the browser is about to ask. Where that fails they are shown as not asked, which promises less.
func (h *Handler) asked(ctx context.Context, frames []logout.Frame, at time.Time) {
	clients := map[string][]string{} // by report
	for _, f := range frames {
		clients[f.Report] = append(clients[f.Report], f.Client)
	}
	for report, asked := range clients {
		if err := h.Store.UpdateReport(ctx, report, logout.FrameAsked(asked, at)); err != nil {
			h.Site.Logger().ErrorContext(ctx, "note frames", "err", err)
		}
	}
}

// notYet says that the sign-out could not be written down.
func (h *Handler) notYet(w http.ResponseWriter, r *http.Request, err error) {
	f := web.FaultOf(err)
	f.What = "You may still be signed in: the sign-out could not be written down."
	f.Do = "Try again in a moment."
	h.Site.Error(w, r, f)
}

// page writes the signed-out page: with frames in the first answer, without on the status page.
func (h *Handler) page(w http.ResponseWriter, r *http.Request, e ended, handle string, frames []logout.Frame) {
	ctx := r.Context()
	holders, err := h.holders(ctx, e)
	if err != nil {
		h.Site.Logger().LogAttrs(ctx, web.Level(r), "report not read", slog.Any("err", err))
		h.unread(w, r, e, handle)
		return
	}
	page := templates.SignedOutPage{Page: h.Site.Page(r), Ended: time.UnixMilli(e.At).UTC(), Extent: e.Extent, Application: h.application(ctx, e.Verdict),
		Holders: holders, Offline: e.Offline, OfflineURL: h.Site.Path("/account/applications"), EvictURL: h.Site.Path(EvictPath), ContinueURL: e.Verdict.target(),
		Wait: h.Wait, SignInURL: h.Site.Path("/account"), MeansURL: h.Site.Path(MeaningPath)}
	if handle != "" {
		page.StatusURL = h.Site.Path("/signed-out/" + handle)
		page.StatusJSONURL = page.StatusURL + "/status.json"
	}
	policy := web.PagePolicy{Images: web.LogoOrigins(page.Application)}
	for _, f := range frames {
		page.Frames = append(page.Frames, templates.Frame{Application: f.Name, URL: f.URI})
		policy.Frames = append(policy.Frames, f.Origin)
	}
	leavingHeaders(w, policy, e.Extent)
	h.Site.Render(r, templates.SignedOut(w, page))
}

// unread says what is certain although the report cannot be read just now.
func (h *Handler) unread(w http.ResponseWriter, r *http.Request, e ended, handle string) {
	page := templates.MessagePage{Page: h.Site.Page(r), Title: "You are signed out", Text: "What the applications answered cannot be read just now.", LinkText: "Look again"}
	if handle != "" {
		page.LinkURL = h.Site.Path("/signed-out/" + handle)
	}
	leavingHeaders(w, web.PagePolicy{FormSelf: true}, e.Extent)
	h.Site.Render(r, templates.Message(w, page))
}

// leavingHeaders are those of a page after an ending. "cookies" is never cleared: in Chromium that would reach sibling hosts.
func leavingHeaders(w http.ResponseWriter, p web.PagePolicy, extent templates.Extent) {
	web.PageHeaders(w, p)
	w.Header().Set("Clear-Site-Data", `"storage", "prefetchCache", "prerenderCache"`)
	w.Header().Set("Set-Login", loginStatus(extent))
}

// SignedOut is GET /signed-out/{handle}: the state of every application, without frames.
func (h *Handler) SignedOut(w http.ResponseWriter, r *http.Request) {
	var e ended
	if _, err := h.Site.OpenHandle(r, purposeStatus, r.PathValue("handle"), &e); err != nil {
		h.Site.Error(w, r, web.Fault{Status: http.StatusNotFound, What: "This page is over.", Do: "You are signed out. What became of it stands in your account, under Activity.",
			Link: h.Site.Path("/account/activity"), Text: "Open your account"})
		return
	}
	h.page(w, r, e, r.PathValue("handle"), nil)
}

// Status is GET /signed-out/{handle}/status.json, which the page's script asks for.
func (h *Handler) Status(w http.ResponseWriter, r *http.Request) {
	var e ended
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if _, err := h.Site.OpenHandle(r, purposeStatus, r.PathValue("handle"), &e); err != nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	holders, err := h.holders(r.Context(), e)
	if err != nil {
		h.Site.Logger().ErrorContext(r.Context(), "read report", "err", err)
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	h.Site.Render(r, json.NewEncoder(w).Encode(templates.NewStatus(holders, time.UnixMilli(e.At).UTC(), h.Site.Now())))
}

// Meaning is GET /signed-out/meaning.
func (h *Handler) Meaning(w http.ResponseWriter, r *http.Request) {
	web.PageHeaders(w, web.PagePolicy{FormSelf: true})
	h.Site.Render(r, templates.Meaning(w, templates.MeaningPage{Page: h.Site.Page(r)}))
}

// Evict is GET /signed-out/evict.css. Both browsers drop their back-forward cache when a page loads a style sheet with this header; on
// the page itself it would come too late.
func (h *Handler) Evict(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Clear-Site-Data", `"cache"`)
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, err := strings.NewReader("/* nothing to see */\n").WriteTo(w)
	h.Site.Render(r, err)
}

// holders are the applications of the ending, each once: of several sessions the state furthest from closed counts.
func (h *Handler) holders(ctx context.Context, e ended) ([]templates.Holder, error) {
	now := h.Site.Now()
	var all []templates.Holder
	for after := ""; ; {
		reports, next, err := h.Store.ListReports(ctx, storage.ReportFilter{Cause: e.Cause, At: time.UnixMilli(e.At)}, storage.Page{After: after})
		if err != nil {
			return nil, err
		}
		for _, report := range reports {
			for _, holder := range Holders(report, now) {
				if holder.Kind == "application" {
					all = worst(all, holder)
				}
			}
		}
		if next == "" {
			return all, nil
		}
		after = next
	}
}

// worst keeps one holder of each application.
func worst(all []templates.Holder, h templates.Holder) []templates.Holder {
	for i := range all {
		if all[i].ID == h.ID {
			if rank(h) < rank(all[i]) {
				all[i] = h
			}
			return all
		}
	}
	return append(all, h)
}

// rank orders states from nothing known to certain.
func rank(h templates.Holder) int {
	switch h.Trust {
	case templates.TrustClosed, templates.TrustConfirmed:
		return 3
	case templates.TrustBounded:
		return 2
	case templates.TrustTold:
		return 1
	}
	return 0
}

// Holders puts a report's rows as pages show them, at that moment.
func Holders(report storage.Report, at time.Time) []templates.Holder {
	holders := make([]templates.Holder, 0, len(report.Rows))
	for _, row := range report.Rows {
		row = logout.RowAt(row, at)
		name := row.Name
		if name == "" {
			name = row.Client
		}
		holders = append(holders, templates.Holder{ID: storage.HashOf(row.Kind + " " + row.Client).String()[:12], Kind: row.Kind, Application: name, Channels: row.Channels,
			Trust: templates.Trust(row.Trust), Delivery: templates.Delivery(row.Delivery), Told: row.Told, Until: row.Until, Attempts: row.Attempts,
			Next: row.Next, Status: row.Answer.Status, Class: row.Answer.Class, Late: row.Late})
	}
	return holders
}
