package signin

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/templates"
)

// Authorize is /authorize, GET and POST (Core §3.1.2.1).
func (h *Handler) Authorize(w http.ResponseWriter, r *http.Request) error {
	if reposted, err := h.repost(w, r); reposted || err != nil {
		return err
	}
	req, err := h.parse(r)
	if err != nil {
		return h.answerError(w, r, &req, err)
	}
	if len(req.notGranted) > 0 {
		h.Site.Logger().InfoContext(r.Context(), "scope not granted", "client", req.ClientID, "scope", web.Loggable(strings.Join(req.notGranted, " ")))
	}
	session, ok, err := h.Site.Session(r)
	if err != nil {
		return h.answerError(w, r, &req, err)
	}
	if !ok {
		return h.proceed(w, r, &req, nil)
	}
	return h.proceed(w, r, &req, &session)
}

// repost answers a POST from another site, which came without the session cookie (SameSite=Lax), by a page of ours that posts the same
// again: that one brings the cookie.
func (h *Handler) repost(w http.ResponseWriter, r *http.Request) (bool, error) {
	fetchSite := r.Header.Get("Sec-Fetch-Site")
	if r.Method != http.MethodPost || fetchSite == "" || fetchSite == "same-origin" || fetchSite == "none" || h.Site.HasSessionCookie(r) {
		return false, nil
	}
	values, err := web.Params(r)
	if values == nil {
		return false, err
	}
	page := templates.RepostPage{Page: h.Site.Page(r), Action: h.Site.Path("/authorize")}
	for name, repeated := range values {
		for _, v := range repeated { // repeated ones too: they are judged where every request is
			page.Fields = append(page.Fields, templates.Field{Name: name, Value: v})
		}
	}
	slices.SortFunc(page.Fields, func(a, b templates.Field) int { return cmp.Compare(a.Name, b.Name) })
	web.PageHeaders(w, web.PagePolicy{HasForms: true})
	h.Site.LogRenderError(r, templates.Repost(w, page))
	return true, nil
}
