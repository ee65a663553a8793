package signin

import (
	"errors"
	"net/http"
	"slices"

	"github.com/curfew-id/curfew/provider/tokens"
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
	app := h.Site.Application(p.client, p.RedirectURI)
	page := templates.ConsentPage{Page: h.Site.Page(r), Action: h.Site.Path(r.URL.EscapedPath()), Handle: r.PathValue("handle"), Application: *app,
		Scopes: p.Scope, Claims: tokens.Beyond(p.Claims, p.Scope), Allowed: allowed.Scope, SessionEnds: session.Expires, EachTime: p.anybody(), OtherAccountURL: other}
	page.Account = accountName(user)
	web.PageHeaders(w, policy(app))
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
	consent, err := h.Store.Consent(r.Context(), session.Subject, p.Client)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		h.answer(w, r, p, err)
		return
	}
	// What was allowed before stays allowed.
	consent = storage.Consent{Subject: session.Subject, Client: p.Client, Scope: with(consent.Scope, p.Scope), Claims: with(consent.Claims, tokens.Beyond(p.Claims, p.Scope)),
		At: h.Site.Now()}
	if err := h.Store.PutConsent(r.Context(), consent); err != nil {
		h.answer(w, r, p, err)
		return
	}
	p.Consented = true
	h.proceed(w, r, p, session)
}

// with adds what is not there yet.
func with(list, more []string) []string {
	list = slices.Clone(list)
	for _, s := range more {
		if !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}

// consenting opens the handle and the session. Whoever is not signed in any more signs in first; and nobody consents on a page that named
// somebody else.
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
	switch {
	case !ok:
		h.proceed(w, r, p, nil)
	case session.ID != p.Person:
		h.proceed(w, r, p, &session)
	default:
		return p, &session, true
	}
	return nil, nil, false
}

func accountName(u storage.User) string {
	if u.Email != "" {
		return u.Email
	}
	return u.Name
}
