package signin

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// ShowConsent is GET /consent/{handle}.
func (h *Handler) ShowConsent(w http.ResponseWriter, r *http.Request) {
	p, session, ok := h.consenting(w, r)
	if !ok {
		return
	}
	user, err := h.Store.User(r.Context(), session.Subject)
	if err != nil {
		h.answer(w, r, nil, err)
		return
	}
	allowed, err := h.Store.Consent(r.Context(), session.Subject, p.Client)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		h.answer(w, r, nil, err)
		return
	}
	other, err := h.otherAccount(w, r, p)
	if err != nil {
		h.answer(w, r, nil, err)
		return
	}
	app := h.application(p.client, p.RedirectURI)
	page := templates.ConsentPage{Page: h.Site.Page(r), Action: r.URL.EscapedPath(), Handle: r.PathValue("handle"), Application: *app,
		Scopes: p.Scope, Claims: claimNames(p.Claims), Allowed: allowed.Scope, SessionEnds: session.Expires, OtherAccountURL: other}
	page.Account = accountName(user)
	web.PageHeaders(w, h.pagePolicy(app))
	h.Site.Render(r, templates.Consent(w, page))
}

// Consent is POST /consent/{handle}.
func (h *Handler) Consent(w http.ResponseWriter, r *http.Request) {
	p, session, ok := h.consenting(w, r)
	if !ok {
		return
	}
	form, err := web.Params(r)
	if err != nil {
		h.answer(w, r, nil, err)
		return
	}
	if form.Get("decision") != "allow" {
		h.answer(w, r, p, refuse("access_denied", "the person did not allow it"))
		return
	}
	consent := storage.Consent{Subject: session.Subject, Client: p.Client, Scope: p.Scope, At: h.Site.Now()}
	if before, err := h.Store.Consent(r.Context(), session.Subject, p.Client); err == nil {
		for _, s := range before.Scope { // what was allowed before stays allowed
			if !slices.Contains(consent.Scope, s) {
				consent.Scope = append(consent.Scope, s)
			}
		}
	}
	if err := h.Store.PutConsent(r.Context(), consent); err != nil {
		h.answer(w, r, p, err)
		return
	}
	p.Consented = true
	h.proceed(w, r, p, session)
}

// consenting opens the handle and the session. Whoever is not signed in any more signs in first.
func (h *Handler) consenting(w http.ResponseWriter, r *http.Request) (*parsed, *storage.Session, bool) {
	p, err := h.reopen(r, purposeConsent)
	if err != nil {
		h.answer(w, r, nil, err)
		return nil, nil, false
	}
	session, ok, err := h.Site.Session(r)
	if err != nil {
		h.answer(w, r, nil, err)
		return nil, nil, false
	}
	if !ok {
		h.proceed(w, r, p, nil)
		return nil, nil, false
	}
	return p, &session, true
}

// claimNames are the claims that the claims parameter asks for one by one.
func claimNames(raw json.RawMessage) []string {
	var claims map[string]map[string]json.RawMessage
	if len(raw) == 0 || json.Unmarshal(raw, &claims) != nil {
		return nil
	}
	var names []string
	for _, member := range []string{"userinfo", "id_token"} {
		for name := range claims[member] {
			if name != "sub" && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names
}

func accountName(u storage.User) string {
	if u.Email != "" {
		return u.Email
	}
	return u.Name
}
