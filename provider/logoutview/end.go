package logoutview

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/provider/upstream"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// purposeStatus is the purpose of the sealed interactions in the paths of signed-out pages.
const purposeStatus = "status"

// statusLifetime is how long a signed-out page can be loaded.
const statusLifetime = time.Hour

// maxFrames is the maximum number of iframes on one page. A browser would hardly load more while the user stays.
const maxFrames = 50

// ReturnTarget is a registered post_logout_redirect_uri with its state (RP-Initiated Logout 1.0 §3).
type ReturnTarget struct {
	URI   string `json:"t,omitempty"` // empty: the browser stays on the signed-out page
	State string `json:"a,omitempty"`

	// Offered says that the page links to the URI and does not redirect. A client of the session has registered the
	// URI, but the request does not prove that it comes from that client.
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

// Logout is a request to end sessions. One of them is this browser's own.
type Logout struct {
	storage.EndRequest
	Session  *storage.Session // this browser's session
	Scope    storage.LogoutScope
	ClientID string // the client that started the logout; empty: the user started it at Curfew
	Return   ReturnTarget
}

// EndAndRender ends sessions and answers with the signed-out page. If that page would show nothing, it redirects to the
// return target at once. If the store fails, it returns an error page, and the cookie stays.
func (h *Handler) EndAndRender(w http.ResponseWriter, r *http.Request, l Logout) error {
	ctx := r.Context()
	ended, err := h.Terminator.End(ctx, l.EndRequest)
	if err != nil {
		return NotSignedOut(err)
	}
	// The sessions have ended. Later errors are only logged, because the page must not claim the opposite.
	if l.Scope != storage.ScopeClient && h.Site.HasSessionCookie(r) {
		h.Site.ClearSessionCookie(w, r)
	}
	clientIDs, hasOtherClients, notifiesClients := endedClients(ended, l.ClientID)
	h.Site.RememberSignOut(w, r, clientIDs...)
	mayRedirect := l.Return.URI != "" && !l.Return.Offered
	hasContent := hasOtherClients || notifiesClients // the signed-out page would show something
	provider, upstreamSession := h.upstreamOf(l)
	if mayRedirect && !hasContent && provider == nil {
		w.Header().Set("Set-Login", loginStatus(l.Scope))
		h.RedirectBack(w, r, ended, l.Return)
		return nil
	}
	offline, err := h.OfflineClientNames(ctx, l.Session.Subject)
	if err != nil {
		h.Site.Logger().LogAttrs(
			ctx,
			web.ErrorLevel(ctx),
			"list offline access for the signed-out page",
			slog.Any("err", err),
		)
	}
	result := signOutResult{
		CauseID:        ended.CauseID,
		EndedAt:        ended.EndedAt.UnixMilli(),
		Scope:          l.Scope,
		ClientID:       l.ClientID,
		Return:         l.Return,
		OfflineClients: offline,
		Upstream:       upstreamSession,
	}
	frames := ended.Frames()
	frames = frames[:min(len(frames), maxFrames)]
	for _, f := range frames {
		result.Frames = append(result.Frames, frameRef{f.Client, f.SID})
	}
	if provider != nil && provider.Logout == policy.UpstreamLogoutAlways {
		if h.redirectToUpstream(w, r, provider, result, frames) {
			return nil
		}
		result.Upstream = nil
	}
	h.redirectToSignedOut(w, r, result, frames)
	return nil
}

// redirectToUpstream sends the browser to the upstream's logout endpoint; the signed-out page follows. It returns false
// if the upstream cannot be used.
func (h *Handler) redirectToUpstream(
	w http.ResponseWriter,
	r *http.Request,
	p *upstream.Provider,
	result signOutResult,
	frames []logout.Frame,
) bool {
	target, err := h.upstreamLogoutURL(w, r, p, result)
	if err != nil || target == "" {
		h.Site.Logger().WarnContext(r.Context(), "the session at the upstream stays", "upstream", p.ID, "err", err)
		return false
	}
	if len(frames) > 0 {
		h.Site.AllowFrames(w, result.CauseID)
	}
	web.Redirect(w, target)
	return true
}

// RedirectBack redirects the browser to the client that started a logout, and has that client notified afterwards.
func (h *Handler) RedirectBack(w http.ResponseWriter, r *http.Request, ended logout.Result, target ReturnTarget) {
	web.Redirect(w, target.URL())
	// Flush, so that the browser does not wait for the store. A writer that cannot flush sends the answer when the
	// handler returns.
	_ = http.NewResponseController(w).Flush()
	h.Terminator.RedirectWritten(r.Context(), ended)
}

// redirectToSignedOut redirects to the signed-out page. The page has its own path, so that the user can reload it and
// the ID token of the request disappears from the address bar. If the result is too long for a path,
// redirectToSignedOut writes the page into this response.
func (h *Handler) redirectToSignedOut(
	w http.ResponseWriter,
	r *http.Request,
	result signOutResult,
	frames []logout.Frame,
) {
	ctx := r.Context()
	interactionID, err := h.Site.SealInteraction(w, r, purposeStatus, result, statusLifetime)
	if err != nil { // too long: leave out the offline access, which the account page lists too, and the upstream
		result.OfflineClients, result.Upstream = nil, nil
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

// frames returns the front-channel iframes of a result, or nil if the browser has loaded them before.
func (h *Handler) frames(w http.ResponseWriter, r *http.Request, result signOutResult) ([]logout.Frame, error) {
	if len(result.Frames) == 0 || r.Method != http.MethodGet {
		return nil, nil
	}
	if !h.Site.TakeFrames(w, r, result.CauseID) {
		return nil, nil
	}
	var frames []logout.Frame
	for _, ref := range result.Frames {
		client, err := h.Store.Client(r.Context(), ref.Client)
		if errors.Is(err, storage.ErrNotFound) { // the client was removed
			continue
		}
		if err != nil {
			return nil, err
		}
		if frame, ok := logout.NewFrame(h.Site.Issuer, client, ref.SID); ok {
			frames = append(frames, frame)
		}
	}
	return frames, nil
}

// endedClients returns the IDs of the clients whose client sessions ended. It reports whether other clients than the
// requesting one are among them, and whether any of the clients is notified while the browser shows the page.
func endedClients(ended logout.Result, requesting string) (ids []string, hasOthers, notifies bool) {
	for _, termination := range ended.Terminations {
		for _, clientSession := range termination.Session.ClientSessions {
			ids = append(ids, clientSession.Client)
			if clientSession.Client != requesting {
				hasOthers = true
			}
			client := termination.Clients[clientSession.Client]
			if client != nil && hasLogoutURI(client) && !ended.IsPutOff(clientSession.SID) {
				notifies = true
			}
		}
	}
	return ids, hasOthers, notifies
}

// recordFrames marks in the reports of the cause that the page is about to load these iframes. If the store fails,
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
	filter := storage.ReportFilter{Cause: cause, At: endedAt}
	if err := h.updateReports(ctx, filter, mark); err != nil {
		h.Site.Logger().LogAttrs(ctx, web.ErrorLevel(ctx), "record front-channel frames", slog.Any("err", err))
	}
}

// updateReports changes all reports that match the filter.
func (h *Handler) updateReports(ctx context.Context, filter storage.ReportFilter, change func(*storage.Report)) error {
	var page storage.Page
	for {
		reports, next, err := h.Store.ListReports(ctx, filter, page)
		if err != nil {
			return err
		}
		for _, report := range reports {
			if err := h.Store.UpdateReport(ctx, report.ID, change); err != nil {
				return err
			}
		}
		if next == "" {
			return nil
		}
		page.After = next
	}
}

// NotSignedOut returns the error page for a logout that the store refused.
func NotSignedOut(err error) error {
	pageErr := web.PageErrorFrom(err)
	pageErr.Text = templates.ErrorSignOutFailed
	return pageErr
}
