package signout

import (
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider/logoutview"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// EndSession is /end_session, GET and POST (RP-Initiated Logout 1.0 §2).
func (h *Handler) EndSession(w http.ResponseWriter, r *http.Request) error {
	if isSpeculative(r) {
		// A browser whose prefetch is refused asks again when the user goes there.
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusServiceUnavailable)
		return nil
	}
	req, err := h.readRequest(r)
	if err != nil {
		return err
	}
	session, signedIn, err := h.Site.Session(r)
	if err != nil {
		return err
	}
	// A browser's POST may lack its cookie only because of SameSite: the GET that follows brings it.
	bounces := r.Method == http.MethodPost && isBrowser(r)
	if !signedIn && !bounces && !h.Site.HasSessionCookie(r) {
		if handled, err := h.endFromBackend(w, r, req); err != nil || handled {
			return err
		}
	}
	if r.Method == http.MethodPost && !signedIn {
		// From another site the cookie does not come with a POST (SameSite=Lax). A GET of our own brings it.
		interactionID, err := h.Site.SealInteraction(w, r, purposeRequest, req, requestLifetime)
		if err != nil {
			return err
		}
		web.Redirect(w, h.Site.Path("/end_session?request="+url.QueryEscape(interactionID)))
		return nil
	}
	if !signedIn {
		return h.renderNoSession(w, r, req)
	}
	if req.Problem != "" || !h.hintMatchesSession(req, &session) || h.Policy.AlwaysConfirm {
		// §2: the OP MUST ask the user if there is no hint or it does not match the session.
		return h.renderConfirmation(w, r, req, &session)
	}
	return h.endForRequest(w, r, req, &session, h.scopeOf(req))
}

// scopeOf returns how much the request ends unless the user chooses otherwise.
func (h *Handler) scopeOf(req logoutRequest) storage.LogoutScope {
	if req.client == nil {
		return h.Policy.Scope
	}
	return req.client.LogoutScopeOr(h.Policy.Scope)
}

// endForRequest ends what scope says and answers with the signed-out page.
func (h *Handler) endForRequest(w http.ResponseWriter, r *http.Request, req logoutRequest, session *storage.Session, scope storage.LogoutScope) error {
	clientID, target := req.ClientID, req.Target
	if clientID == "" {
		var err error
		if clientID, target, err = h.offeredTarget(r.Context(), req, session); err != nil {
			return err
		}
	}
	return h.View.EndAndRender(w, r, logoutview.Logout{
		EndRequest: storage.EndRequest{
			Selector: logout.SelectorForScope(scope, session, req.ClientID),
			Cause: storage.Cause{
				Reason:  logout.ReasonForScope(scope),
				By:      "user:" + session.Subject,
				Client:  req.ClientID,
				Address: h.Site.ClientAddress(r),
			},
		},
		Session:  session,
		Scope:    scope,
		ClientID: clientID,
		Return:   target,
	})
}

// isSpeculative reports whether the user has not asked for the page yet: a HEAD request, a prefetch or a prerendering.
func isSpeculative(r *http.Request) bool {
	purpose := r.Header.Get("Sec-Purpose") + r.Header.Get("Purpose")
	return r.Method == http.MethodHead || strings.Contains(purpose, "prefetch") || strings.Contains(purpose, "prerender")
}

// isBrowser reports whether a browser sends the request, and not an app's server.
func isBrowser(r *http.Request) bool {
	for name, values := range r.Header {
		if len(values) > 0 && (name == "Origin" || strings.HasPrefix(name, "Sec-Fetch-")) {
			return true
		}
	}
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}

// endFromBackend ends what the client's backend_logout says for a hint that came without a session cookie: a client's own server or a
// native app sends it. By default that is the client's own client session, since the hint proves that much and no more: it was issued to
// this client for this sid. It is never more than one client session of one sid, and never chosen by the subject: an ID token that leaked
// long ago could otherwise sign users out of everything. The response does not name the user's other apps.
func (h *Handler) endFromBackend(w http.ResponseWriter, r *http.Request, req logoutRequest) (bool, error) {
	if !req.HintVerified || req.Problem != "" || req.client == nil {
		return false, nil
	}
	ctx := r.Context()
	scope, ok := req.client.BackendLogoutScope()
	session, clientSession, err := h.Store.SessionBySID(ctx, req.HintSID, h.Site.Now())
	if ignoreNotFound(err) != nil {
		return false, err
	}
	if !ok || req.HintSID == "" || err != nil || clientSession.Client != req.ClientID {
		h.Site.Logger().LogAttrs(ctx, slog.LevelInfo, "logout without a session cookie ended nothing", slog.String("client", req.ClientID),
			slog.Bool("allowed", ok), slog.Bool("client_session_active", err == nil && clientSession.Client == req.ClientID))
		return false, nil
	}
	cause := storage.Cause{Reason: logout.ReasonForScope(scope), By: "client:" + req.ClientID, Client: req.ClientID, Address: h.Site.ClientAddress(r)}
	end := storage.EndRequest{Selector: logout.SelectorForScope(scope, &session, req.ClientID), Cause: cause}
	if _, err := h.Terminator.End(ctx, end); err != nil {
		return true, logoutview.NotSignedOut(err)
	}
	message := templates.MessageSessionEnded
	if scope == storage.ScopeClient {
		message = templates.MessageAppSignedOut
		h.Site.Logger().LogAttrs(ctx, slog.LevelInfo, "logout without a session cookie ended one client session; the session stays active",
			slog.String("client", req.ClientID))
	}
	if req.Target.URI != "" {
		web.Redirect(w, req.Target.URL())
		return true, nil
	}
	page := templates.MessagePage{Page: h.Site.Page(r), Message: message}
	web.PageHeaders(w, web.PagePolicy{FormsToSelf: true})
	h.Site.LogRenderError(r, templates.Message(w, page))
	return true, nil
}

// renderNoSession answers a logout request without a session. RP-Initiated Logout 1.0 §4: the OP still redirects if the request is valid.
// A return target that a verified hint goes with is followed at once; another one is offered as a link (§3).
func (h *Handler) renderNoSession(w http.ResponseWriter, r *http.Request, req logoutRequest) error {
	if req.Problem != "" {
		return web.PageError{Text: req.Problem, Subject: req.ProblemSubject}
	}
	if h.Site.HasSessionCookie(r) {
		h.Site.ClearSessionCookie(w, r)
	}
	if req.HintVerified && req.Target.URI != "" {
		web.Redirect(w, req.Target.URL())
		return nil
	}
	h.View.RenderNoSession(w, r, h.requestingApp(req), req.Target)
	return nil
}
