package logoutview

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/provider/upstream"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// upstream.go ends the session at the upstream from which an ended session came, in the browser (RP-Initiated Logout
// 1.0 §2). The upstream leads back to the signed-out page.

// upstreamRef is the session at the upstream of an ended session. It is sealed in the path of the signed-out page.
type upstreamRef struct {
	Session storage.UpstreamSession `json:"s"`
	IDToken []byte                  `json:"t"` // Session.IDToken
	Ended   string                  `json:"e"` // storage.SessionHash of the session here
}

// session returns the session at the upstream.
func (u *upstreamRef) session() storage.UpstreamSession {
	session := u.Session
	session.IDToken = u.IDToken
	return session
}

// upstreamOf returns the upstream whose session a logout may end, and the session there; nil: none. Only the session of
// this browser counts: the browser has no other one there.
func (h *Handler) upstreamOf(l Logout) (*upstream.Provider, *upstreamRef) {
	if l.Scope == storage.ScopeClient || l.Session.Upstream.IsZero() {
		return nil, nil
	}
	p := h.Upstreams.Find(l.Session.Upstream.Provider)
	if p == nil || p.Issuer != l.Session.Upstream.Issuer || p.Logout == policy.UpstreamLogoutNever {
		return nil, nil
	}
	return p, &upstreamRef{
		Session: l.Session.Upstream,
		IDToken: l.Session.Upstream.IDToken,
		Ended:   storage.SessionHash(l.Session.ID),
	}
}

// upstreamLogoutURL returns the URL that ends the session at the upstream and leads back to the signed-out page of
// result. It is empty if the upstream offers none.
func (h *Handler) upstreamLogoutURL(
	w http.ResponseWriter,
	r *http.Request,
	p *upstream.Provider,
	result signOutResult,
) (string, error) {
	session := result.Upstream.session()
	result.SentUpstream = result.Upstream.Ended
	result.Upstream = nil // once is enough
	state, err := h.Site.SealInteraction(w, r, purposeStatus, result, statusLifetime)
	if err != nil {
		return "", err
	}
	return p.LogoutURL(r.Context(), session, state), nil
}

// SignOutUpstream handles GET /signed-out/{interaction}/upstream: the user wants to end the session at the upstream
// too.
func (h *Handler) SignOutUpstream(w http.ResponseWriter, r *http.Request) error {
	var result signOutResult
	if _, err := h.Site.OpenInteraction(r, purposeStatus, r.PathValue("interaction"), &result); err != nil {
		return err
	}
	if result.Upstream == nil {
		return web.ErrInteraction
	}
	p := h.Upstreams.Find(result.Upstream.Session.Provider)
	if p == nil {
		return web.PageError{Status: http.StatusNotFound, Reason: "the upstream was removed from the configuration"}
	}
	target, err := h.upstreamLogoutURL(w, r, p, result)
	if err != nil {
		return err
	}
	if target == "" {
		return web.PageError{
			Status: http.StatusServiceUnavailable,
			Reason: "the upstream " + p.ID + " has no end_session_endpoint, or does not answer",
		}
	}
	web.Redirect(w, target)
	return nil
}

// ReturnFromUpstream handles GET /upstream/{upstream}/signed_out, to which the upstream sends the browser back. Without
// a state of this browser the page only says that the user is signed out.
func (h *Handler) ReturnFromUpstream(w http.ResponseWriter, r *http.Request) error {
	var result signOutResult
	state := r.URL.Query().Get("state")
	if _, err := h.Site.OpenInteraction(r, purposeStatus, state, &result); err != nil {
		h.RenderNoSession(w, r, nil, ReturnTarget{})
		return nil
	}
	if err := h.recordReturn(r, result); err != nil { // the report shows that session as unknown
		h.Site.Logger().LogAttrs(r.Context(), web.ErrorLevel(r.Context()), "record the return from an upstream",
			slog.Any("err", err))
	}
	web.Redirect(w, h.Site.Path("/signed-out/"+state))
	return nil
}

// recordReturn marks in the report of this browser's session that its user came back from the upstream's logout.
func (h *Handler) recordReturn(r *http.Request, result signOutResult) error {
	mark := logout.MarkUpstreamNotified(r.PathValue("upstream"), h.Site.Now())
	filter := storage.ReportFilter{Cause: result.CauseID, At: time.UnixMilli(result.EndedAt)}
	return h.updateReports(r.Context(), filter, func(report *storage.Report) {
		if report.SessionHash == result.SentUpstream {
			mark(report)
		}
	})
}

// offerUpstream adds the link that ends the session at the upstream. While the user decides, the page does not go on by
// itself.
func (h *Handler) offerUpstream(page *templates.SignedOutPage, result signOutResult, interactionID string) {
	if result.Upstream == nil || interactionID == "" {
		return
	}
	p := h.Upstreams.Find(result.Upstream.Session.Provider)
	if p == nil {
		return
	}
	page.Upstream = p.Name
	page.UpstreamURL = h.Site.Path("/signed-out/" + interactionID + "/upstream")
	page.Manual = true
}
