package signin

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/templates"
)

// Authorize handles GET and POST /authorize (Core §3.1.2.1).
func (h *Handler) Authorize(w http.ResponseWriter, r *http.Request) error {
	if reposted, err := h.repost(w, r); reposted || err != nil {
		return err
	}
	req, err := h.parse(r)
	h.Site.RememberUILocales(w, r, req.uiLocales)
	if err != nil {
		return h.answerError(w, r, &req, err)
	}
	if len(req.notGranted) > 0 {
		ignoredScopes := web.Loggable(strings.Join(req.notGranted, " "))
		h.Site.Logger().InfoContext(r.Context(), "scope not granted", "client", req.ClientID, "scope", ignoredScopes)
	}
	session, signedIn, err := h.Site.Session(r)
	if err != nil {
		return h.answerError(w, r, &req, err)
	}
	if !signedIn {
		return h.proceed(w, r, &req, nil)
	}
	if p := h.recheckDue(r, session); p != nil {
		return h.redirectToRecheck(w, r, &req, p, session)
	}
	return h.proceed(w, r, &req, &session)
}

// repost answers a POST from another origin with a page that posts the same parameters again. The browser omits the
// SameSite=Lax session cookie from the first POST. It sends the cookie with the second POST, which comes from Curfew's
// own page. reposted is true if repost wrote the page.
func (h *Handler) repost(w http.ResponseWriter, r *http.Request) (reposted bool, err error) {
	hasCookies := h.Site.HasSessionCookie(r) && !web.WithholdsCookies(r)
	if hasCookies || !isCrossOriginPost(r) {
		return false, nil
	}
	values, err := web.Params(r)
	if values == nil { // the form is unreadable; with the error for a repeated parameter, Params returns the values too
		return false, err
	}
	page := templates.RepostPage{Page: h.Site.Page(r), Action: h.Site.Path("/authorize")}
	for name, repeated := range values {
		// A repeated parameter stays repeated, so that parse refuses it in the second POST.
		for _, value := range repeated {
			page.Fields = append(page.Fields, templates.Field{Name: name, Value: value})
		}
	}
	slices.SortFunc(page.Fields, func(a, b templates.Field) int { return cmp.Compare(a.Name, b.Name) })
	web.PageHeaders(w, web.PagePolicy{HasForms: true})
	h.Site.LogRenderError(r, templates.Repost(w, page))
	return true, nil
}

// isCrossOriginPost reports whether a page of another origin sent this POST. A browser that sends no Sec-Fetch-Site
// header counts as same-origin.
func isCrossOriginPost(r *http.Request) bool {
	if r.Method != http.MethodPost {
		return false
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return false
	}
	return true
}
