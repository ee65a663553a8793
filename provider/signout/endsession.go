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
	d, err := h.read(r)
	if err != nil {
		h.Site.Error(w, r, web.FaultOf(err))
		return
	}
	session, signedIn, err := h.Site.Session(r)
	if err != nil {
		h.Site.Error(w, r, web.FaultOf(err))
		return
	}
	crossSite := r.Method == http.MethodPost && r.Header.Get("Sec-Fetch-Site") == "cross-site" // a browser whose cookie has yet to come
	if !signedIn && !crossSite && !h.Site.HasSessionCookie(r) {
		if done, err := h.backend(w, r, d); err != nil || done {
			if err != nil {
				h.Site.Error(w, r, web.FaultOf(err))
			}
			return
		}
	}
	if r.Method == http.MethodPost && !signedIn {
		// From another site the cookie does not come with a POST (SameSite=Lax). A GET of our own brings it.
		handle, err := h.Site.Handle(w, r, purposeRequest, d, requestLife)
		if err != nil {
			h.Site.Error(w, r, web.FaultOf(err))
			return
		}
		web.Redirect(w, h.Site.Path("/end_session?request="+url.QueryEscape(handle)))
		return
	}
	if !signedIn {
		h.nobody(w, r, d)
		return
	}
	ours, err := h.ours(r.Context(), d, &session)
	if err != nil {
		h.Site.Error(w, r, web.FaultOf(err))
		return
	}
	if d.Problem != "" || !ours || h.Ask {
		// §2: the OP MUST ask if there is no hint, or it is not of this session.
		h.confirm(w, r, d, &session)
		return
	}
	h.end(w, r, d, &session, h.extent(r, d))
}

// extent is what this client's sign-out ends unless the person is asked.
func (h *Handler) extent(r *http.Request, d verdict) templates.Extent {
	if client, err := h.Store.Client(r.Context(), d.Client); err == nil && client.LogoutScope != "" {
		return templates.Extent(client.LogoutScope)
	}
	return h.Extent
}

// backend ends the session of a hint that came without any session cookie, as an application's own server sends it, for clients that
// registered backend_logout. Elsewhere any old ID token could sign people out. The answer says nothing of the person's other applications: the
// ID token is one application's, and their pages and sids are not its business.
func (h *Handler) backend(w http.ResponseWriter, r *http.Request, d verdict) (bool, error) {
	if !d.Proven || d.SID == "" || d.Problem != "" {
		return false, nil
	}
	client, err := h.Store.Client(r.Context(), d.Client)
	if err != nil || client.BackendLogout != "session" {
		return false, ignoreMissing(err)
	}
	session, member, err := h.Store.SessionBySID(r.Context(), d.SID, h.Site.Now())
	if err != nil || member.Client != d.Client {
		return false, ignoreMissing(err)
	}
	cause := storage.Cause{Reason: storage.ReasonLogout, By: "client:" + d.Client, Client: d.Client, Address: h.Site.Address(r)}
	if _, err := h.Ender.End(r.Context(), selector(templates.ExtentBrowser, &session, d.Client), cause, storage.Change{}); err != nil {
		h.notYet(w, r, err)
		return true, nil
	}
	if d.Target != "" {
		web.Redirect(w, d.target())
		return true, nil
	}
	page := templates.MessagePage{Page: h.Site.Page(r), Title: "Signed out", Text: "That session has ended. Its applications are being told."}
	web.PageHeaders(w, web.PagePolicy{FormSelf: true})
	h.Site.Render(r, templates.Message(w, page))
	return true, nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, storage.ErrNotFound) {
		return nil
	}
	return err
}

// nobody answers where nobody is signed in: that is no error, the request asks for what is so already (§4). A target that a valid hint proves is
// followed at once; another is offered, for anybody could have put it there (§3).
func (h *Handler) nobody(w http.ResponseWriter, r *http.Request, d verdict) {
	if d.Problem != "" {
		h.Site.Error(w, r, web.Fault{What: d.Problem, Do: "You are not signed in here, so there is nothing to end. Go back to the application."})
		return
	}
	if h.Site.HasSessionCookie(r) {
		h.Site.ClearSession(w)
	}
	if d.Proven && d.Target != "" {
		web.Redirect(w, d.target())
		return
	}
	page := templates.SignedOutPage{Page: h.Site.Page(r), Application: h.application(r.Context(), d), ContinueURL: d.target(), Manual: true,
		SignInURL: h.Site.Path("/account"), EvictURL: h.Site.Path(EvictPath)}
	leavingHeaders(w, web.PagePolicy{Images: web.LogoOrigins(page.Application)}, templates.ExtentBrowser)
	h.Site.Render(r, templates.SignedOut(w, page))
}
