package logoutview

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

const (
	purposeStatus  = "status"
	statusLifetime = 10 * time.Minute

	// maxFrames bounds the iframes of one page. A browser loads no more of them in the time that a user stays.
	maxFrames = 50
)

// ReturnTarget is a verified post_logout_redirect_uri and the state that goes with it (RP-Initiated Logout 1.0 §3).
type ReturnTarget struct {
	URI   string `json:"t,omitempty"` // empty: the browser stays here
	State string `json:"a,omitempty"`
}

// URL returns the registered URI, byte for byte, with the state appended to its query.
func (t ReturnTarget) URL() string {
	if t.URI == "" || t.State == "" {
		return t.URI
	}
	separator := "?"
	if strings.Contains(t.URI, "?") {
		separator = "&"
	}
	return t.URI + separator + "state=" + url.QueryEscape(t.State)
}

// Logout is a request of this browser to end sessions, its own among them.
type Logout struct {
	storage.EndRequest
	Session  *storage.Session // this browser's session
	Scope    storage.LogoutScope
	ClientID string // of the client that started the logout; empty: the user started it here
	Return   ReturnTarget
}

// EndAndRender ends sessions and answers with the signed-out page. If nothing could be shown there, it follows the post-logout redirect at
// once. If the store refuses, the page says so and the cookie stays.
func (h *Handler) EndAndRender(w http.ResponseWriter, r *http.Request, l Logout) error {
	ctx := r.Context()
	ended, err := h.Terminator.End(ctx, l.EndRequest)
	if err != nil {
		return NotSignedOut(err)
	}
	// The sessions have ended. An error from here on is logged and must not make the page say otherwise.
	if l.Scope != storage.ScopeClient && h.Site.HasSessionCookie(r) {
		h.Site.ClearSessionCookie(w)
	}
	clientIDs, hasOtherClients, notifiesClients := endedClients(ended.Terminations, l.ClientID)
	h.Site.RememberSignOut(w, r, clientIDs...)
	if l.Return.URI != "" && !hasOtherClients && !notifiesClients {
		w.Header().Set("Set-Login", loginStatus(l.Scope))
		web.Redirect(w, l.Return.URL())
		return nil
	}
	offline, err := h.OfflineClientNames(ctx, l.Session.Subject)
	if err != nil {
		h.Site.Logger().LogAttrs(ctx, web.ErrorLevel(r.Context()), "list offline access for the signed-out page", slog.Any("err", err))
	}
	result := signOutResult{
		CauseID:        ended.CauseID,
		EndedAt:        ended.EndedAt.UnixMilli(),
		Scope:          l.Scope,
		ClientID:       l.ClientID,
		Return:         l.Return,
		OfflineClients: offline,
	}
	interactionID, err := h.Site.SealInteraction(w, r, purposeStatus, result, statusLifetime)
	if err != nil { // the list of offline access may be too long for a path; the account page has it too
		result.OfflineClients = nil
		interactionID, err = h.Site.SealInteraction(w, r, purposeStatus, result, statusLifetime)
	}
	if err != nil {
		h.Site.Logger().LogAttrs(ctx, web.ErrorLevel(r.Context()), "seal the path of the signed-out page", slog.Any("err", err))
	}
	frames := ended.Frames()
	frames = frames[:min(len(frames), maxFrames)]
	h.recordFrames(ctx, frames, ended.EndedAt)
	h.renderSignedOut(w, r, result, interactionID, frames)
	return nil
}

// endedClients lists the clients whose client sessions ended, and reports whether another than the requesting one is among them and
// whether any of them is notified.
func endedClients(terminations []storage.Termination, requesting string) (ids []string, hasOthers, notifies bool) {
	for _, termination := range terminations {
		for _, clientSession := range termination.Session.ClientSessions {
			ids = append(ids, clientSession.Client)
			hasOthers = hasOthers || clientSession.Client != requesting
			c := termination.Clients[clientSession.Client]
			notifies = notifies || c != nil && (c.BackchannelLogoutURI != "" || c.FrontchannelLogoutURI != "")
		}
	}
	return ids, hasOthers, notifies
}

// recordFrames adds the frames that the page is about to load to the reports. If the store refuses, reports show those apps as not notified.
func (h *Handler) recordFrames(ctx context.Context, frames []logout.Frame, now time.Time) {
	clientsByReport := map[string][]string{}
	for _, f := range frames {
		clientsByReport[f.ReportID] = append(clientsByReport[f.ReportID], f.Client)
	}
	for reportID, clientIDs := range clientsByReport {
		if err := h.Store.UpdateReport(ctx, reportID, logout.MarkFrontChannelNotified(clientIDs, now)); err != nil {
			h.Site.Logger().ErrorContext(ctx, "record front-channel frames", "report", reportID, "err", err)
		}
	}
}

// NotSignedOut is the page about a logout that the store refused.
func NotSignedOut(err error) error {
	pageErr := web.PageErrorFrom(err)
	pageErr.Text = templates.ErrorSignOutFailed
	return pageErr
}
