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

// signOutResult is what the status page needs; it travels in a handle bound to the browser's cookie.
type signOutResult struct {
	CauseID        string                `json:"c"`
	EndedAt        int64                 `json:"a"` // milliseconds
	Scope          templates.LogoutScope `json:"x"`
	Request        logoutRequest         `json:"v"`
	OfflineClients []string              `json:"o,omitempty"`
}

// endForRequest ends what was chosen and answers the browser. Where the commit fails nobody is told that they are signed out, and the cookie stays.
func (h *Handler) endForRequest(w http.ResponseWriter, r *http.Request, req logoutRequest, session *storage.Session, scope templates.LogoutScope) {
	cause := storage.Cause{Reason: storage.ReasonLogout, By: "user:" + session.Subject, Client: req.ClientID, Address: h.Site.ClientAddress(r)}
	if scope == templates.ScopeClient {
		cause.Reason = storage.ReasonClientSignOut
	}
	h.endSessions(w, r, req, session, scope, selector(scope, session, req.ClientID), cause, storage.Change{})
}

// EndAndRender ends sessions, this browser's among them, and answers with the signed-out page. The account page uses it.
func (h *Handler) EndAndRender(w http.ResponseWriter, r *http.Request, session *storage.Session, scope templates.LogoutScope, sel storage.Selector, cause storage.Cause, change storage.Change) {
	h.endSessions(w, r, logoutRequest{}, session, scope, sel, cause, change)
}

func (h *Handler) endSessions(w http.ResponseWriter, r *http.Request, req logoutRequest, session *storage.Session, scope templates.LogoutScope, sel storage.Selector, cause storage.Cause, change storage.Change) {
	ctx := r.Context()
	outcome, err := h.Terminator.End(ctx, storage.EndRequest{Selector: sel, Cause: cause, Change: change})
	if err != nil {
		h.renderNotSignedOut(w, r, err)
		return
	}
	// From here on the ending is a fact: what goes wrong with the page about it must not read as if it were not.
	if scope != templates.ScopeClient && h.Site.HasSessionCookie(r) {
		h.Site.ClearSessionCookie(w)
	}
	clientIDs, hasOtherClients, notifiesClients := []string{}, false, false
	for _, termination := range outcome.Terminations {
		for _, clientSession := range termination.Session.ClientSessions {
			clientIDs = append(clientIDs, clientSession.Client)
			hasOtherClients = hasOtherClients || clientSession.Client != req.ClientID
			if c := termination.Clients[clientSession.Client]; c != nil && (c.BackchannelLogoutURI != "" || c.FrontchannelLogoutURI != "") {
				notifiesClients = true
			}
		}
	}
	h.Site.RememberSignOut(w, r, clientIDs...)
	if req.PostLogoutRedirectURI != "" && !hasOtherClients && !notifiesClients {
		// Nobody to wait for and nothing to show.
		w.Header().Set("Set-Login", loginStatus(scope))
		web.Redirect(w, req.redirectURL())
		return
	}
	offline, err := h.offlineClientNames(ctx, session.Subject)
	if err != nil {
		h.Site.Logger().LogAttrs(ctx, web.ErrorLevel(r), "offline access not listed", slog.Any("err", err))
	}
	result := signOutResult{CauseID: outcome.CauseID, EndedAt: outcome.EndedAt.UnixMilli(), Scope: scope, Request: req, OfflineClients: offline}
	interactionID, err := h.Site.SealInteraction(w, r, purposeStatus, result, statusLifetime)
	if err != nil { // too long a list for a handle: it is on the account page too
		result.OfflineClients = nil
		interactionID, err = h.Site.SealInteraction(w, r, purposeStatus, result, statusLifetime)
	}
	if err != nil {
		h.Site.Logger().LogAttrs(ctx, web.ErrorLevel(r), "no status page", slog.Any("err", err))
	}
	frames := outcome.Frames()
	frames = frames[:min(len(frames), maxFrames)]
	h.recordFrames(ctx, frames, outcome.EndedAt)
	h.renderSignedOut(w, r, result, interactionID, frames)
}

// loginStatus is the value of Set-Login: whether anybody is still signed in here.
func loginStatus(scope templates.LogoutScope) string {
	if scope == templates.ScopeClient {
		return "logged-in"
	}
	return "logged-out"
}

// recordFrames notes which applications the browser is about to ask. Where that fails they are shown as not asked, which promises less.
func (h *Handler) recordFrames(ctx context.Context, frames []logout.Frame, now time.Time) {
	clientsByReport := map[string][]string{} // by report
	for _, f := range frames {
		clientsByReport[f.ReportID] = append(clientsByReport[f.ReportID], f.Client)
	}
	for reportID, clientIDs := range clientsByReport {
		if err := h.Store.UpdateReport(ctx, reportID, logout.MarkFrontChannelNotified(clientIDs, now)); err != nil {
			h.Site.Logger().ErrorContext(ctx, "note frames", "err", err)
		}
	}
}

// renderNotSignedOut says that the sign-out could not be written down.
func (h *Handler) renderNotSignedOut(w http.ResponseWriter, r *http.Request, err error) {
	pageErr := web.PageErrorFrom(err)
	pageErr.Message = "You may still be signed in: the sign-out could not be written down."
	pageErr.Advice = "Try again in a moment."
	h.Site.RenderError(w, r, pageErr)
}

// renderSignedOut writes the signed-out page: with frames in the first answer, without on the status page.
func (h *Handler) renderSignedOut(w http.ResponseWriter, r *http.Request, result signOutResult, interactionID string, frames []logout.Frame) {
	ctx := r.Context()
	entries, err := h.clientEntries(ctx, result)
	if err != nil {
		h.Site.Logger().LogAttrs(ctx, web.ErrorLevel(r), "report not read", slog.Any("err", err))
		h.renderReportUnavailable(w, r, result, interactionID)
		return
	}
	page := templates.SignedOutPage{Page: h.Site.Page(r), Ended: time.UnixMilli(result.EndedAt).UTC(), Scope: result.Scope, Application: h.requestingApp(ctx, result.Request),
		Entries: entries, Offline: result.OfflineClients, OfflineURL: h.Site.Path("/account/applications"), EvictURL: h.Site.Path(EvictPath), ContinueURL: result.Request.redirectURL(),
		RedirectDelay: h.ContinueAfter, SignInURL: h.Site.Path("/account"), MeaningURL: h.Site.Path(MeaningPath)}
	if interactionID != "" {
		page.StatusURL = h.Site.Path("/signed-out/" + interactionID)
		page.StatusJSONURL = page.StatusURL + "/status.json"
	}
	policy := web.PagePolicy{ImageOrigins: web.LogoOrigins(page.Application)}
	for _, f := range frames {
		page.Frames = append(page.Frames, templates.Frame{Application: f.Name, URL: f.URI})
		policy.FrameOrigins = append(policy.FrameOrigins, f.Origin)
	}
	signedOutHeaders(w, policy, result.Scope)
	h.Site.LogRenderError(r, templates.SignedOut(w, page))
}

// renderReportUnavailable says what is certain although the report cannot be read just now.
func (h *Handler) renderReportUnavailable(w http.ResponseWriter, r *http.Request, result signOutResult, interactionID string) {
	page := templates.MessagePage{Page: h.Site.Page(r), Title: "You are signed out", Text: "What the applications answered cannot be read just now.", LinkText: "Look again"}
	if interactionID != "" {
		page.LinkURL = h.Site.Path("/signed-out/" + interactionID)
	}
	signedOutHeaders(w, web.PagePolicy{FormsToSelf: true}, result.Scope)
	h.Site.LogRenderError(r, templates.Message(w, page))
}

// signedOutHeaders are those of a page after an ending. "cookies" is never cleared: in Chromium that would reach sibling hosts.
func signedOutHeaders(w http.ResponseWriter, p web.PagePolicy, scope templates.LogoutScope) {
	web.PageHeaders(w, p)
	w.Header().Set("Clear-Site-Data", `"storage", "prefetchCache", "prerenderCache"`)
	w.Header().Set("Set-Login", loginStatus(scope))
}

// SignedOut is GET /signed-out/{interaction}: the state of every application, without frames.
func (h *Handler) SignedOut(w http.ResponseWriter, r *http.Request) {
	var result signOutResult
	if _, err := h.Site.OpenInteraction(r, purposeStatus, r.PathValue("interaction"), &result); err != nil {
		h.Site.RenderError(w, r, web.PageError{Status: http.StatusNotFound, Message: "This page is over.", Advice: "You are signed out. What became of it stands in your account, under Activity.",
			LinkURL: h.Site.Path("/account/activity"), LinkText: "Open your account"})
		return
	}
	h.renderSignedOut(w, r, result, r.PathValue("interaction"), nil)
}

// Status is GET /signed-out/{interaction}/status.json, which the page's script asks for.
func (h *Handler) Status(w http.ResponseWriter, r *http.Request) {
	var result signOutResult
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if _, err := h.Site.OpenInteraction(r, purposeStatus, r.PathValue("interaction"), &result); err != nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	entries, err := h.clientEntries(r.Context(), result)
	if err != nil {
		h.Site.Logger().ErrorContext(r.Context(), "read report", "err", err)
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	h.Site.LogRenderError(r, json.NewEncoder(w).Encode(templates.NewStatus(entries, time.UnixMilli(result.EndedAt).UTC(), h.Site.Now())))
}

// Meaning is GET /signed-out/meaning.
func (h *Handler) Meaning(w http.ResponseWriter, r *http.Request) {
	web.PageHeaders(w, web.PagePolicy{FormsToSelf: true})
	h.Site.LogRenderError(r, templates.Meaning(w, templates.MeaningPage{Page: h.Site.Page(r)}))
}

// Evict is GET /signed-out/evict.css. Both browsers drop their back-forward cache when a page loads a style sheet with this header; on
// the page itself it would come too late.
func (h *Handler) Evict(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Clear-Site-Data", `"cache"`)
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, err := strings.NewReader("/* nothing to see */\n").WriteTo(w)
	h.Site.LogRenderError(r, err)
}

// clientEntries are the applications of the ending, each once: of several sessions the state furthest from closed counts.
func (h *Handler) clientEntries(ctx context.Context, result signOutResult) ([]templates.Entry, error) {
	now := h.Site.Now()
	var entries []templates.Entry
	for after := ""; ; {
		reports, next, err := h.Store.ListReports(ctx, storage.ReportFilter{Cause: result.CauseID, At: time.UnixMilli(result.EndedAt)}, storage.Page{After: after})
		if err != nil {
			return nil, err
		}
		for _, report := range reports {
			for _, entry := range ReportEntries(report, now) {
				if entry.Kind == logout.KindClientSession {
					entries = mergeWorst(entries, entry)
				}
			}
		}
		if next == "" {
			return entries, nil
		}
		after = next
	}
}

// mergeWorst keeps one holder of each application.
func mergeWorst(entries []templates.Entry, entry templates.Entry) []templates.Entry {
	for i := range entries {
		if entries[i].ID == entry.ID {
			if trustRank(entry) < trustRank(entries[i]) {
				entries[i] = entry
			}
			return entries
		}
	}
	return append(entries, entry)
}

// trustRank orders states from nothing known to certain.
func trustRank(entry templates.Entry) int {
	switch entry.Trust {
	case templates.TrustRevoked, templates.TrustConfirmed:
		return 3
	case templates.TrustExpiring:
		return 2
	case templates.TrustNotified:
		return 1
	}
	return 0
}

// ReportEntries puts a report's rows as pages show them, at that moment.
func ReportEntries(report storage.Report, now time.Time) []templates.Entry {
	entries := make([]templates.Entry, 0, len(report.Entries))
	for _, entry := range report.Entries {
		entry = logout.EntryAt(entry, now)
		name := entry.Name
		if name == "" {
			name = entry.Client
		}
		entries = append(entries, templates.Entry{ID: storage.HashOf(entry.Kind + " " + entry.Client).String()[:12], Kind: entry.Kind, Application: name, Channels: entry.Channels,
			Trust: templates.Trust(entry.Trust), Delivery: templates.Delivery(entry.Delivery), NotifiedAt: entry.NotifiedAt, ExpiresAt: entry.ExpiresAt, Attempts: entry.Attempts,
			NextAttempt: entry.NextAttempt, Status: entry.LastAnswer.Status, Class: entry.LastAnswer.Class, Renotification: entry.Renotification})
	}
	return entries
}
