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

// EndSession handles GET and POST /end_session (RP-Initiated Logout 1.0 §2).
func (h *Handler) EndSession(w http.ResponseWriter, r *http.Request) error {
	if isSpeculative(r) {
		// A browser discards a refused prefetch. It sends the request again when the user opens the page.
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusServiceUnavailable)
		return nil
	}
	req, err := h.readRequest(w, r)
	if err != nil {
		return err
	}
	if r.Method == http.MethodPost && web.WithholdsCookies(r) {
		return h.redirectToGet(w, req) // even if the session cookie has come (session.cookie_samesite)
	}
	session, signedIn, err := h.Site.Session(r)
	if err != nil {
		return err
	}
	if !signedIn {
		return h.endWithoutSession(w, r, req)
	}
	// §2: the OP MUST ask the user if there is no hint or it does not match the session.
	mustConfirm := req.Problem != "" || !h.hintMatchesSession(req, &session) || h.Policy.AlwaysConfirm
	if mustConfirm {
		return h.renderConfirmation(w, r, req, &session)
	}
	return h.endForRequest(w, r, req, &session, h.scopeOf(req))
}

// endWithoutSession handles a logout request that came without the cookie of an active session.
func (h *Handler) endWithoutSession(w http.ResponseWriter, r *http.Request, req logoutRequest) error {
	// The session cookie does not come with a browser's POST from another site (SameSite=Lax). It comes with the GET
	// after the redirect below, so such a POST must not end anything here.
	isBrowserPost := r.Method == http.MethodPost && isBrowser(r)
	if !isBrowserPost && !h.Site.HasSessionCookie(r) {
		handled, err := h.endFromBackend(w, r, req)
		if err != nil || handled {
			return err
		}
	}
	if r.Method == http.MethodPost {
		return h.redirectToGet(w, req)
	}
	return h.renderNoSession(w, r, req)
}

// redirectToGet redirects a POST to a GET with the same request. The browser sends its cookies with the GET.
func (h *Handler) redirectToGet(w http.ResponseWriter, req logoutRequest) error {
	interactionID, err := h.Site.SealForAnyBrowser(purposeRequest, req, requestLifetime)
	if err != nil {
		return err
	}
	web.Redirect(w, h.Site.Path("/end_session?request="+url.QueryEscape(interactionID)))
	return nil
}

// scopeOf returns the logout scope of the requesting client. Without a client, or if the client has none, it returns
// the policy's. On the confirmation page the user can choose another.
func (h *Handler) scopeOf(req logoutRequest) storage.LogoutScope {
	if req.client == nil {
		return h.Policy.Scope
	}
	return req.client.LogoutScopeOr(h.Policy.Scope)
}

// endForRequest ends the sessions in scope and answers with the signed-out page.
func (h *Handler) endForRequest(
	w http.ResponseWriter,
	r *http.Request,
	req logoutRequest,
	session *storage.Session,
	scope storage.LogoutScope,
) error {
	clientID, target := req.ClientID, req.Target
	if clientID == "" {
		var err error
		clientID, target, err = h.offeredTarget(r.Context(), req, session)
		if err != nil {
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
			Initiator: h.initiatorOf(req, session),
		},
		Session:  session,
		Scope:    scope,
		ClientID: clientID,
		Return:   target,
	})
}

// initiatorOf returns the client session that the logout was started from, if the browser goes back to its client.
func (h *Handler) initiatorOf(req logoutRequest, session *storage.Session) storage.Initiator {
	clientSession := session.ClientSession(req.ClientID)
	if clientSession == nil || req.client == nil || req.Target.URI == "" {
		return storage.Initiator{}
	}
	return storage.Initiator{SID: clientSession.SID, HintVerified: h.hintMatchesSession(req, session)}
}

// isSpeculative reports whether the user has not opened the page: the request is a HEAD, a prefetch or a prerender.
func isSpeculative(r *http.Request) bool {
	purpose := r.Header.Get("Sec-Purpose") + r.Header.Get("Purpose")
	isPreload := strings.Contains(purpose, "prefetch") || strings.Contains(purpose, "prerender")
	return isPreload || r.Method == http.MethodHead
}

// isBrowser reports whether a browser sent the request, not a client's server. A browser sends Origin, Fetch Metadata
// or an Accept header with HTML.
func isBrowser(r *http.Request) bool {
	for name, values := range r.Header {
		isFromBrowser := name == "Origin" || strings.HasPrefix(name, "Sec-Fetch-")
		if isFromBrowser && len(values) > 0 {
			return true
		}
	}
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}

// endFromBackend handles a request with a verified hint but without a session cookie, from a client's server or a
// native app. The client's backend_logout setting decides what ends: by default the client session with the hint's sid.
// The hint's subject is not used: otherwise an ID token that leaked long ago could end all sessions of a user. The
// response names no other client of the user. handled is true if endFromBackend wrote the response.
func (h *Handler) endFromBackend(
	w http.ResponseWriter,
	r *http.Request,
	req logoutRequest,
) (handled bool, err error) {
	if !req.HintVerified || req.Problem != "" || req.client == nil {
		return false, nil
	}
	ctx := r.Context()
	scope, allowed := req.client.BackendLogoutScope()
	session, clientSession, err := h.Store.SessionBySID(ctx, req.HintSID, h.Site.Now())
	if ignoreNotFound(err) != nil {
		return false, err
	}
	isActive := err == nil && clientSession.Client == req.ClientID
	if !allowed || req.HintSID == "" || !isActive {
		h.Site.Logger().LogAttrs(ctx, slog.LevelInfo, "logout without a session cookie ended nothing",
			slog.String("client", req.ClientID),
			slog.Bool("allowed", allowed),
			slog.Bool("client_session_active", isActive))
		return false, nil
	}
	// Anyone can have an ID token of a client that registered itself. Without the user's confirmation, Curfew does not
	// redirect to such a client: a link to this provider must not lead to a stranger's website.
	mayRedirect := req.Target.URI != "" && !req.client.Dynamic
	end := storage.EndRequest{
		Selector: logout.SelectorForScope(scope, &session, req.ClientID),
		Cause: storage.Cause{
			Reason:  logout.ReasonForScope(scope),
			By:      "client:" + req.ClientID,
			Client:  req.ClientID,
			Address: h.Site.ClientAddress(r),
		},
	}
	if mayRedirect {
		end.Initiator = h.initiatorOf(req, &session)
	}
	ended, err := h.Terminator.End(ctx, end)
	if err != nil {
		return false, logoutview.NotSignedOut(err)
	}
	message := templates.MessageSessionEnded
	if scope == storage.ScopeClient {
		message = templates.MessageAppSignedOut
		h.Site.Logger().LogAttrs(
			ctx,
			slog.LevelInfo,
			"logout without a session cookie ended one client session; the session stays active",
			slog.String("client", req.ClientID),
		)
	}
	if mayRedirect {
		h.View.RedirectBack(w, r, ended, req.Target)
		return true, nil
	}
	page := templates.MessagePage{Page: h.Site.Page(r), Message: message}
	web.PageHeaders(w, web.PagePolicy{FormsToSelf: true})
	h.Site.LogRenderError(r, templates.Message(w, page))
	return true, nil
}

// renderNoSession answers a logout request of a browser without a session. RP-Initiated Logout 1.0 §4: the OP still
// redirects if the request is valid. With a verified hint, renderNoSession redirects to the return target at once.
// Without one, and for a client that registered itself, the page offers the target as a link (§3).
func (h *Handler) renderNoSession(w http.ResponseWriter, r *http.Request, req logoutRequest) error {
	if req.Problem != "" {
		return web.PageError{Text: req.Problem, Subject: req.ProblemSubject}
	}
	if h.Site.HasSessionCookie(r) {
		h.Site.ClearSessionCookie(w, r)
	}
	if req.HintVerified && req.Target.URI != "" && !req.client.Dynamic {
		web.Redirect(w, req.Target.URL())
		return nil
	}
	h.View.RenderNoSession(w, r, h.requestingApp(req), req.Target)
	return nil
}
