package signin

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// responseParam is a response parameter.
type responseParam struct {
	name  string
	value string
}

// responseParams are the parameters of a response, in the order in which they are sent.
type responseParams []responseParam

// add appends a parameter unless its value is empty.
func (p *responseParams) add(name, value string) {
	if value != "" {
		*p = append(*p, responseParam{name, value})
	}
}

// get returns the value of a parameter, or "".
func (p responseParams) get(name string) string {
	for _, param := range p {
		if param.name == name {
			return param.value
		}
	}
	return ""
}

// respond sends an authorization response in the requested response mode. The default mode is fragment if the response
// carries tokens, otherwise query (Multiple Response Types §2.1). Every response carries iss (RFC 9207).
func (h *Handler) respond(
	w http.ResponseWriter,
	r *http.Request,
	req *interaction,
	client *storage.Client,
	params responseParams,
) {
	params.add("state", req.State)
	params.add("iss", h.Site.Issuer)
	if client.CheckSession && h.Site.CheckSession {
		params.add("session_state", h.sessionState(w, r, req))
	}
	if req.ResponseMode == "form_post" {
		app := h.Site.App(client, req.RedirectURI)
		page := templates.FormPostPage{Page: h.Site.Page(r), Action: req.RedirectURI, Application: *app}
		for _, param := range params {
			page.Fields = append(page.Fields, templates.Field{Name: param.name, Value: param.value})
		}
		web.PageHeaders(w, web.PagePolicy{}) // no form-action: the form leads to the client
		h.Site.LogRenderError(r, templates.FormPost(w, page))
		return
	}
	web.Redirect(w, req.responseURL(params))
}

// responseURL returns the redirect URI with the parameters of a response in its query or fragment.
func (req *interaction) responseURL(params responseParams) string {
	mode := req.ResponseMode
	if mode == "" {
		mode = "query"
		if req.responseCarriesTokens() {
			mode = "fragment"
		}
	}
	var b strings.Builder
	b.Grow(1024) // bytes; enough for a response with a code
	b.WriteString(req.RedirectURI)
	separator := "#"
	if mode == "query" {
		separator = "?"
		if strings.Contains(req.RedirectURI, "?") {
			separator = "&"
		}
	}
	for _, param := range params {
		b.WriteString(separator + param.name + "=" + url.QueryEscape(param.value))
		separator = "&"
	}
	return b.String()
}

// respondOAuthError sends an error response to the client.
func (h *Handler) respondOAuthError(
	w http.ResponseWriter,
	r *http.Request,
	req *interaction,
	client *storage.Client,
	err error,
) {
	e := web.AuthorizationErrorFrom(err)
	e.Subject.Client = client.ClientID
	e.Log(r.Context(), h.Site.Logger())
	h.respond(w, r, req, client, h.errorParams(e))
}

// errorParams returns the parameters of an error response.
func (h *Handler) errorParams(e web.OAuthError) (params responseParams) {
	params.add("error", e.Code)
	params.add("error_description", e.Description)
	return params
}
