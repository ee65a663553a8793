package signout

import (
	"net/http"
	"net/url"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider/logoutview"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// EndSession is /end_session, GET and POST (RP-Initiated Logout 1.0 §2).
func (h *Handler) EndSession(w http.ResponseWriter, r *http.Request) error {
	req, err := h.readRequest(r)
	if err != nil {
		return err
	}
	session, signedIn, err := h.Site.Session(r)
	if err != nil {
		return err
	}
	crossSite := r.Method == http.MethodPost && r.Header.Get("Sec-Fetch-Site") == "cross-site" // a browser whose cookie has yet to come
	if !signedIn && !crossSite && !h.Site.HasSessionCookie(r) {
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
		ClientID: req.ClientID,
		Return:   req.Target,
	})
}

// endFromBackend ends the session of a hint that came without a session cookie, as a client's own server sends it, for clients that
// registered backend_logout. For other clients any old ID token could sign users out. The response does not name the user's other apps: the
// ID token is one client's, and other clients and their sids must stay unknown to it.
func (h *Handler) endFromBackend(w http.ResponseWriter, r *http.Request, req logoutRequest) (bool, error) {
	if !req.HintVerified || req.HintSID == "" || req.Problem != "" || req.client == nil || !req.client.EndsSessionFromBackend() {
		return false, nil
	}
	session, clientSession, err := h.Store.SessionBySID(r.Context(), req.HintSID, h.Site.Now())
	if err != nil || clientSession.Client != req.ClientID {
		return false, ignoreNotFound(err)
	}
	cause := storage.Cause{Reason: storage.ReasonLogout, By: "client:" + req.ClientID, Client: req.ClientID, Address: h.Site.ClientAddress(r)}
	if _, err := h.Terminator.End(r.Context(), storage.EndRequest{Selector: logout.SelectorForScope(storage.ScopeSession, &session, req.ClientID), Cause: cause}); err != nil {
		return true, logoutview.NotSignedOut(err)
	}
	if req.Target.URI != "" {
		web.Redirect(w, req.Target.URL())
		return true, nil
	}
	page := templates.MessagePage{Page: h.Site.Page(r), Message: templates.MessageAppSignedOut}
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
		h.Site.ClearSessionCookie(w)
	}
	if req.HintVerified && req.Target.URI != "" {
		web.Redirect(w, req.Target.URL())
		return nil
	}
	h.View.RenderNoSession(w, r, h.requestingApp(req), req.Target)
	return nil
}
