package logoutview

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

// MeaningPath is the path of the page that explains the words of the signed-out page and of reports.
const MeaningPath = "/signed-out/meaning"

// EvictPath is the path of a style sheet. Its response empties the browser's back-forward cache.
const EvictPath = "/signed-out/evict.css"

// signOutResult is the content of a signed-out page. It is sealed in the path of the page, bound to this browser.
type signOutResult struct {
	CauseID        string              `json:"c"`
	EndedAt        int64               `json:"a"` // Unix milliseconds
	Scope          storage.LogoutScope `json:"x"`
	ClientID       string              `json:"i,omitempty"` // the client that started the logout
	Return         ReturnTarget        `json:"r"`
	OfflineClients []string            `json:"o,omitempty"` // names of the clients that keep offline access
	Frames         []frameRef          `json:"f,omitempty"` // front-channel logout
	Upstream       *upstreamRef        `json:"u,omitempty"` // the session there may be ended too
	SentUpstream   string              `json:"v,omitempty"` // SessionHash of the session whose user went there to end it
}

// frameRef identifies the front-channel iframe of one client session.
type frameRef struct {
	Client string `json:"c"`
	SID    string `json:"s"`
}

// loginStatus returns the value of the Set-Login header after a logout with this scope (Login Status API).
func loginStatus(scope storage.LogoutScope) string {
	if scope == storage.ScopeClient {
		return "logged-in"
	}
	return "logged-out"
}

// renderSignedOut writes the signed-out page. interactionID is empty if the result could not be sealed. frames is empty
// if the page was shown before.
func (h *Handler) renderSignedOut(
	w http.ResponseWriter,
	r *http.Request,
	result signOutResult,
	interactionID string,
	frames []logout.Frame,
) {
	ctx := r.Context()
	h.recordFrames(ctx, result.CauseID, time.UnixMilli(result.EndedAt), frames)
	entries, err := h.clientSessionEntries(ctx, result)
	if err != nil {
		h.Site.Logger().LogAttrs(
			ctx,
			web.ErrorLevel(ctx),
			"read reports for the signed-out page",
			slog.Any("err", err),
		)
		h.renderReportUnavailable(w, r, result, interactionID)
		return
	}
	page := h.signedOutPage(r, result, entries)
	if interactionID != "" {
		page.StatusURL = h.Site.Path("/signed-out/" + interactionID)
		page.StatusJSONURL = page.StatusURL + "/status.json"
	}
	h.offerUpstream(&page, result, interactionID)
	policy := web.PagePolicy{ImageOrigins: web.LogoOrigins(page.Application)}
	for _, f := range frames {
		page.Frames = append(page.Frames, templates.Frame{Application: f.Name, URL: f.URI})
		policy.FrameOrigins = append(policy.FrameOrigins, f.Origin)
	}
	h.signedOutHeaders(w, policy, result.Scope)
	h.Site.LogRenderError(r, templates.SignedOut(w, page))
}

// signedOutPage returns the data of the signed-out page, without iframes.
func (h *Handler) signedOutPage(
	r *http.Request,
	result signOutResult,
	entries []templates.Entry,
) templates.SignedOutPage {
	return templates.SignedOutPage{
		Page:          h.Site.Page(r),
		Ended:         time.UnixMilli(result.EndedAt).UTC(),
		Scope:         templates.LogoutScope(result.Scope),
		Application:   h.requestingApp(r.Context(), result),
		Entries:       entries,
		Offline:       result.OfflineClients,
		OfflineURL:    h.Site.Path("/account/applications"),
		EvictURL:      h.Site.Path(EvictPath),
		ContinueURL:   result.Return.URL(),
		Manual:        result.Return.Offered,
		RedirectDelay: h.Policy.RedirectDelay,
		SignInURL:     h.Site.Path("/account"),
		MeaningURL:    h.Site.Path(MeaningPath),
	}
}

// renderReportUnavailable writes a page that only confirms the logout. It is used if the store cannot read the reports.
func (h *Handler) renderReportUnavailable(
	w http.ResponseWriter,
	r *http.Request,
	result signOutResult,
	interactionID string,
) {
	page := templates.MessagePage{Page: h.Site.Page(r), Message: templates.MessageSignedOut}
	if interactionID != "" {
		page.LinkURL = h.Site.Path("/signed-out/" + interactionID)
	}
	h.signedOutHeaders(w, web.PagePolicy{FormsToSelf: true}, result.Scope)
	h.Site.LogRenderError(r, templates.Message(w, page))
}

// RenderNoSession answers a logout request of a browser without a session (RP-Initiated Logout 1.0 §4). The page
// offers the return target as a link and does not redirect, because without a hint any site could have chosen it (§3).
func (h *Handler) RenderNoSession(w http.ResponseWriter, r *http.Request, app *templates.App, target ReturnTarget) {
	page := templates.SignedOutPage{
		Page:        h.Site.Page(r),
		Application: app,
		ContinueURL: target.URL(),
		Manual:      true,
		SignInURL:   h.Site.Path("/account"),
		EvictURL:    h.Site.Path(EvictPath),
	}
	h.signedOutHeaders(w, web.PagePolicy{ImageOrigins: web.LogoOrigins(app)}, storage.ScopeSession)
	h.Site.LogRenderError(r, templates.SignedOut(w, page))
}

// requestingApp returns the client that started the logout, for display on a page. It returns nil if there is none or
// if it was removed.
func (h *Handler) requestingApp(ctx context.Context, result signOutResult) *templates.App {
	if result.ClientID == "" {
		return nil
	}
	client, err := h.Store.Client(ctx, result.ClientID)
	if err != nil {
		return nil
	}
	return h.Site.App(client, result.Return.URI)
}

// signedOutHeaders sets the headers of a page after a logout. Clear-Site-Data must not contain "cookies": Chromium
// would also clear the cookies of sibling hosts.
func (h *Handler) signedOutHeaders(w http.ResponseWriter, p web.PagePolicy, scope storage.LogoutScope) {
	web.PageHeaders(w, p)
	h.Site.ClearSiteData(w, `"storage", "prefetchCache", "prerenderCache"`)
	w.Header().Set("Set-Login", loginStatus(scope))
}

// SignedOut handles GET /signed-out/{interaction}. It shows the state of each app and, the first time, loads the
// front-channel iframes.
func (h *Handler) SignedOut(w http.ResponseWriter, r *http.Request) error {
	var result signOutResult
	if _, err := h.Site.OpenInteraction(r, purposeStatus, r.PathValue("interaction"), &result); err != nil {
		return web.PageError{
			Status:  http.StatusNotFound,
			Text:    templates.ErrorSignedOutPageExpired,
			LinkURL: h.Site.Path("/account/activity"),
			Link:    templates.LinkAccount,
		}
	}
	frames, err := h.frames(w, r, result)
	if err != nil {
		return err
	}
	h.renderSignedOut(w, r, result, r.PathValue("interaction"), frames)
	return nil
}

// Status handles GET /signed-out/{interaction}/status.json, which the page's script polls.
func (h *Handler) Status(w http.ResponseWriter, r *http.Request) {
	var result signOutResult
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if _, err := h.Site.OpenInteraction(r, purposeStatus, r.PathValue("interaction"), &result); err != nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	entries, err := h.clientSessionEntries(r.Context(), result)
	if err != nil {
		h.Site.Logger().ErrorContext(r.Context(), "read reports for the signed-out status", "err", err)
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	h.Site.LogRenderError(r, json.NewEncoder(w).Encode(h.signedOutPage(r, result, entries).Status()))
}

// Meaning handles GET /signed-out/meaning.
func (h *Handler) Meaning(w http.ResponseWriter, r *http.Request) {
	web.PageHeaders(w, web.PagePolicy{FormsToSelf: true})
	h.Site.LogRenderError(r, templates.Meaning(w, templates.MeaningPage{Page: h.Site.Page(r)}))
}

// Evict handles GET /signed-out/evict.css. Chromium and Firefox empty their back-forward cache when a page loads a
// style sheet with this header. A header on the page itself would come too late.
func (h *Handler) Evict(w http.ResponseWriter, r *http.Request) {
	h.Site.ClearSiteData(w, `"cache"`)
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, err := strings.NewReader("/* empty */\n").WriteTo(w)
	h.Site.LogRenderError(r, err)
}
