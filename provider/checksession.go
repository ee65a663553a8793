package provider

import (
	"net/http"
	"slices"

	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/templates"
)

// checkSession serves the OP iframe of Session Management 1.0 §3.2. It is the only page that other sites may frame. It
// displays nothing and reads only the browser-state cookie.
func (p *Provider) checkSession(w http.ResponseWriter, r *http.Request) {
	web.PageHeaders(w, web.PagePolicy{Frameable: true})
	page := templates.CheckSessionPage{
		Page:       p.site.Page(r),
		Cookie:     p.site.BrowserStateCookieName(),
		OriginsURL: p.site.Path("/check_session/origin"),
	}
	p.site.LogRenderError(r, templates.CheckSession(w, page))
}

// checkOrigin reports to the OP iframe whether an origin belongs to a redirect URI of the client: 204 if it does, 404
// if not. Session Management 1.0 §3.2: the iframe must reject messages from other origins.
func (p *Provider) checkOrigin(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	query := r.URL.Query()
	origin := query.Get("origin")
	client, err := p.config.Store.Client(r.Context(), query.Get("client_id"))
	if err != nil || client.Disabled || !client.CheckSession || !hasOrigin(client.RedirectURIs, origin) {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// hasOrigin reports whether one of the URIs has this origin.
func hasOrigin(uris []string, origin string) bool {
	return origin != "" && slices.ContainsFunc(uris, func(uri string) bool { return web.Origin(uri) == origin })
}
