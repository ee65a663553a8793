package provider

import (
	"net/http"
	"slices"

	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/templates"
)

// checkSession is the OP frame of Session Management 1.0 §3.2. It is the one page that other sites may frame: it
// shows nothing, and answers only from the browser state that it reads itself.
func (p *Provider) checkSession(w http.ResponseWriter, r *http.Request) {
	web.PageHeaders(w, web.PagePolicy{Frameable: true})
	page := templates.CheckSessionPage{
		Page:       p.site.Page(r),
		Cookie:     p.site.BrowserStateCookieName(),
		OriginsURL: p.site.Path("/check_session/origin"),
	}
	p.site.LogRenderError(r, templates.CheckSession(w, page))
}

// checkOrigin answers the frame whether an origin is one of a client's redirect URIs and may be answered (§3.2:
// unexpected ones MUST be rejected).
func (p *Provider) checkOrigin(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	client, err := p.config.Store.Client(r.Context(), r.URL.Query().Get("client_id"))
	origin := r.URL.Query().Get("origin")
	if err != nil || client.Disabled || !client.CheckSession || origin == "" ||
		!slices.ContainsFunc(client.RedirectURIs, func(uri string) bool { return web.Origin(uri) == origin }) {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
