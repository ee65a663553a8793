package signin

import (
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// parameters of a response, in order, so that pages and URLs come out the same each time.
type parameters [][2]string

func (p *parameters) add(name, value string) {
	if value != "" {
		*p = append(*p, [2]string{name, value})
	}
}

func (p parameters) get(name string) string {
	for _, nv := range p {
		if nv[0] == name {
			return nv[1]
		}
	}
	return ""
}

// respond sends an authorization response by the response mode asked for: query for code, fragment where tokens travel, or form_post.
// Every response names the issuer (RFC 9207).
func (h *Handler) respond(w http.ResponseWriter, r *http.Request, q *request, client *storage.Client, params parameters) {
	params.add("state", q.State)
	params.add("iss", h.Site.Issuer)
	if client.CheckSession && h.Site.CheckSession {
		params.add("session_state", h.sessionState(w, r, q))
	}
	mode := q.ResponseMode
	if mode == "" {
		mode = "query"
		if q.frontTokens() {
			mode = "fragment"
		}
	}
	if mode == "form_post" {
		app := h.Site.Application(client, q.RedirectURI)
		page := templates.FormPostPage{Page: h.Site.Page(r), Action: q.RedirectURI, Application: *app}
		for _, p := range params {
			page.Fields = append(page.Fields, templates.Field{Name: p[0], Value: p[1]})
		}
		web.PageHeaders(w, web.PagePolicy{}) // no form-action: it leads to the application
		h.Site.Render(r, templates.FormPost(w, page))
		return
	}
	var b strings.Builder
	b.Grow(1024) // mostly a code
	b.WriteString(q.RedirectURI)
	separator := "#"
	if mode == "query" {
		separator = "?"
		if strings.Contains(q.RedirectURI, "?") {
			separator = "&"
		}
	}
	for _, p := range params {
		b.WriteString(separator + p[0] + "=" + url.QueryEscape(p[1]))
		separator = "&"
	}
	web.Redirect(w, b.String())
}

// respondError sends an error to the application.
func (h *Handler) respondError(w http.ResponseWriter, r *http.Request, q *request, client *storage.Client, err error) {
	e := web.OAuthOf(err)
	if e.Err != nil {
		h.Site.Logger().LogAttrs(r.Context(), web.Level(r), "authorization failed", slog.String("client", client.ClientID), slog.String("code", e.Code), slog.Any("err", e.Err))
	}
	var params parameters
	params.add("error", e.Code)
	params.add("error_description", e.Description)
	h.respond(w, r, q, client, params)
}
