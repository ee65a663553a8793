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
	statusLifetime = time.Hour

	// maxFrames bounds the iframes of one page. A browser loads no more of them in the time that a user stays.
	maxFrames = 50
)

// ReturnTarget is a verified post_logout_redirect_uri and the state that goes with it (RP-Initiated Logout 1.0 §3).
type ReturnTarget struct {
	URI   string `json:"t,omitempty"` // empty: the browser stays here
	State string `json:"a,omitempty"`

	// Offered says that the page only has a link there: nothing proves which client asked, but a client of the
	// session registered the URI.
	Offered bool `json:"o,omitempty"`
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

// EndAndRender ends sessions and answers with the signed-out page. If nothing could be shown there, it follows the
// post-logout redirect at once. If the store refuses, the page says so and the cookie stays.
func (h *Handler) EndAndRender(w http.ResponseWriter, r *http.Request, l Logout) error {
	ctx := r.Context()
	ended, err := h.Terminator.End(ctx, l.EndRequest)
	if err != nil {
		return NotSignedOut(err)
	}
	// The sessions have ended. An error from here on is logged and must not make the page say otherwise.
	if l.Scope != storage.ScopeClient && h.Site.HasSessionCookie(r) {
		h.Site.ClearSessionCookie(w, r)
	}
	clientIDs, hasOtherClients, notifiesClients := endedClients(ended.Terminations, l.ClientID)
	h.Site.RememberSignOut(w, r, clientIDs...)
	if l.Return.URI != "" && !l.Return.Offered && !hasOtherClients && !notifiesClients {
		w.Header().Set("Set-Login", loginStatus(l.Scope))
		web.Redirect(w, l.Return.URL())
		return nil
	}
	offline, err := h.OfflineClientNames(ctx, l.Session.Subject)
	if err != nil {
		h.Site.Logger().
			LogAttrs(ctx, web.ErrorLevel(r.Context()), "list offline access for the signed-out page", slog.Any("err", err))
	}
	result := signOutResult{
		CauseID:        ended.CauseID,
		EndedAt:        ended.EndedAt.UnixMilli(),
		Scope:          l.Scope,
		ClientID:       l.ClientID,
		Return:         l.Return,
		OfflineClients: offline,
	}
	frames := ended.Frames()
	frames = frames[:min(len(frames), maxFrames)]
	for _, f := range frames {
		result.Frames = append(result.Frames, frameRef{f.Client, f.SID})
	}
	h.redirectToSignedOut(w, r, result, frames)
	return nil
}

// redirectToSignedOut leads to the signed-out page, which has a path of its own: it can be loaded again, and the ID
// token of the request leaves the address bar. A result that is too long for a path is shown in this response
// instead, without a path.
func (h *Handler) redirectToSignedOut(
	w http.ResponseWriter,
	r *http.Request,
	result signOutResult,
	frames []logout.Frame,
) {
	ctx := r.Context()
	interactionID, err := h.Site.SealInteraction(w, r, purposeStatus, result, statusLifetime)
	if err != nil { // the list of offline access is on the account page too
		result.OfflineClients = nil
		interactionID, err = h.Site.SealInteraction(w, r, purposeStatus, result, statusLifetime)
	}
	if err != nil {
		h.Site.Logger().LogAttrs(ctx, web.ErrorLevel(ctx), "seal the path of the signed-out page", slog.Any("err", err))
		h.renderSignedOut(w, r, result, "", frames)
		return
	}
	if len(frames) > 0 {
		h.Site.AllowFrames(w, result.CauseID)
	}
	web.Redirect(w, h.Site.Path("/signed-out/"+interactionID))
}

// frames returns the frames of a result if the browser has not loaded them yet.
func (h *Handler) frames(w http.ResponseWriter, r *http.Request, result signOutResult) ([]logout.Frame, error) {
	if len(result.Frames) == 0 || r.Method != http.MethodGet || !h.Site.TakeFrames(w, r, result.CauseID) {
		return nil, nil
	}
	var frames []logout.Frame
	for _, ref := range result.Frames {
		client, err := h.Store.Client(r.Context(), ref.Client)
		if err != nil {
			if err := ignoreNotFound(err); err != nil {
				return nil, err
			}
			continue
		}
		if frame, ok := logout.NewFrame(h.Site.Issuer, client, ref.SID); ok {
			frames = append(frames, frame)
		}
	}
	return frames, nil
}

// endedClients lists the clients whose client sessions ended, and reports whether another than the requesting one is
// among them and whether any of them is notified.
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

// recordFrames adds the frames that the page is about to load to the reports of that cause. If the store refuses,
// reports show those apps as not notified.
func (h *Handler) recordFrames(ctx context.Context, cause string, endedAt time.Time, frames []logout.Frame) {
	if len(frames) == 0 {
		return
	}
	var clientIDs []string
	for _, f := range frames {
		clientIDs = append(clientIDs, f.Client)
	}
	mark := logout.MarkFrontChannelNotified(clientIDs, h.Site.Now())
	for after := ""; ; {
		reports, next, err := h.Store.ListReports(
			ctx,
			storage.ReportFilter{Cause: cause, At: endedAt},
			storage.Page{After: after},
		)
		for _, report := range reports {
			if err == nil {
				err = h.Store.UpdateReport(ctx, report.ID, mark)
			}
		}
		if err != nil {
			h.Site.Logger().LogAttrs(ctx, web.ErrorLevel(ctx), "record front-channel frames", slog.Any("err", err))
			return
		}
		if after = next; after == "" {
			return
		}
	}
}

// NotSignedOut is the page about a logout that the store refused.
func NotSignedOut(err error) error {
	pageErr := web.PageErrorFrom(err)
	pageErr.Text = templates.ErrorSignOutFailed
	return pageErr
}
