package signout

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// EndSession is /end_session, GET and POST (RP-Initiated Logout 1.0 §2).
func (h *Handler) EndSession(w http.ResponseWriter, r *http.Request) {
	req, err := h.readRequest(r)
	if err != nil {
		h.Site.RenderError(w, r, web.PageErrorFrom(err))
		return
	}
	session, signedIn, err := h.Site.Session(r)
	if err != nil {
		h.Site.RenderError(w, r, web.PageErrorFrom(err))
		return
	}
	crossSite := r.Method == http.MethodPost && r.Header.Get("Sec-Fetch-Site") == "cross-site" // a browser whose cookie has yet to come
	if !signedIn && !crossSite && !h.Site.HasSessionCookie(r) {
		if handled, err := h.endFromBackend(w, r, req); err != nil || handled {
			if err != nil {
				h.Site.RenderError(w, r, web.PageErrorFrom(err))
			}
			return
		}
	}
	if r.Method == http.MethodPost && !signedIn {
		// From another site the cookie does not come with a POST (SameSite=Lax). A GET of our own brings it.
		interactionID, err := h.Site.SealInteraction(w, r, purposeRequest, req, requestLifetime)
		if err != nil {
			h.Site.RenderError(w, r, web.PageErrorFrom(err))
			return
		}
		web.Redirect(w, h.Site.Path("/end_session?request="+url.QueryEscape(interactionID)))
		return
	}
	if !signedIn {
		h.renderNoSession(w, r, req)
		return
	}
	matches, err := h.hintMatchesSession(r.Context(), req, &session)
	if err != nil {
		h.Site.RenderError(w, r, web.PageErrorFrom(err))
		return
	}
	if req.Problem != "" || !matches || h.AlwaysConfirm {
		// §2: the OP MUST ask if there is no hint, or it is not of this session.
		h.renderConfirmation(w, r, req, &session)
		return
	}
	h.endForRequest(w, r, req, &session, h.logoutScope(r, req))
}

// logoutScope is what this client's sign-out ends unless the person is asked.
func (h *Handler) logoutScope(r *http.Request, req logoutRequest) templates.LogoutScope {
	if client, err := h.Store.Client(r.Context(), req.ClientID); err == nil && client.LogoutScope != "" {
		return templates.LogoutScope(client.LogoutScope)
	}
	return h.DefaultScope
}

// endFromBackend ends the session of a hint that came without any session cookie, as an application's own server sends it, for clients that
// registered backend_logout. Elsewhere any old ID token could sign people out. The answer says nothing of the person's other applications: the
// ID token is one application's, and their pages and sids are not its business.
func (h *Handler) endFromBackend(w http.ResponseWriter, r *http.Request, req logoutRequest) (bool, error) {
	if !req.HintVerified || req.HintSID == "" || req.Problem != "" {
		return false, nil
	}
	client, err := h.Store.Client(r.Context(), req.ClientID)
	if err != nil || client.BackendLogout != "session" {
		return false, ignoreMissing(err)
	}
	session, clientSession, err := h.Store.SessionBySID(r.Context(), req.HintSID, h.Site.Now())
	if err != nil || clientSession.Client != req.ClientID {
		return false, ignoreMissing(err)
	}
	cause := storage.Cause{Reason: storage.ReasonLogout, By: "client:" + req.ClientID, Client: req.ClientID, Address: h.Site.ClientAddress(r)}
	if _, err := h.Terminator.End(r.Context(), storage.EndRequest{Selector: selector(templates.ScopeSession, &session, req.ClientID), Cause: cause}); err != nil {
		h.renderNotSignedOut(w, r, err)
		return true, nil
	}
	if req.PostLogoutRedirectURI != "" {
		web.Redirect(w, req.redirectURL())
		return true, nil
	}
	page := templates.MessagePage{Page: h.Site.Page(r), Title: "Signed out", Text: "That session has ended. Its applications are being told."}
	web.PageHeaders(w, web.PagePolicy{FormsToSelf: true})
	h.Site.LogRenderError(r, templates.Message(w, page))
	return true, nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, storage.ErrNotFound) {
		return nil
	}
	return err
}

// renderNoSession answers where nobody is signed in: that is no error, the request asks for what is so already (§4). A target that a valid hint proves is
// followed at once; another is offered, for anybody could have put it there (§3).
func (h *Handler) renderNoSession(w http.ResponseWriter, r *http.Request, req logoutRequest) {
	if req.Problem != "" {
		h.Site.RenderError(w, r, web.PageError{Message: req.Problem, Advice: "You are not signed in here, so there is nothing to end. Go back to the application."})
		return
	}
	if h.Site.HasSessionCookie(r) {
		h.Site.ClearSessionCookie(w)
	}
	if req.HintVerified && req.PostLogoutRedirectURI != "" {
		web.Redirect(w, req.redirectURL())
		return
	}
	page := templates.SignedOutPage{Page: h.Site.Page(r), Application: h.requestingApp(r.Context(), req), ContinueURL: req.redirectURL(), Manual: true,
		SignInURL: h.Site.Path("/account"), EvictURL: h.Site.Path(EvictPath)}
	signedOutHeaders(w, web.PagePolicy{ImageOrigins: web.LogoOrigins(page.Application)}, templates.ScopeSession)
	h.Site.LogRenderError(r, templates.SignedOut(w, page))
}
