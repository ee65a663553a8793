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

// ShowConsent handles GET /consent/{interaction}.
func (h *Handler) ShowConsent(w http.ResponseWriter, r *http.Request) error {
	req, session, ok, err := h.openConsent(w, r)
	if !ok {
		return err
	}
	user, err := h.Store.User(r.Context(), session.Subject)
	if err != nil {
		return err
	}
	consent, err := h.Store.Consent(r.Context(), session.Subject, req.ClientID)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return err
	}
	otherAccountURL, err := h.otherAccountURL(w, r, req)
	if err != nil {
		return err
	}
	scope := h.Minter.APIScopes.AllowedToUser(user, req.Scope)
	app := h.Site.App(req.clientRecord, req.RedirectURI)
	page := templates.ConsentPage{
		Page:            h.Site.Page(r),
		Action:          h.Site.Path(r.URL.EscapedPath()),
		Interaction:     r.PathValue("interaction"),
		Application:     *app,
		AppHash:         appHash(app),
		Scopes:          scope,
		APIScopes:       h.Minter.APIScopes.Descriptions(scope),
		Claims:          tokens.OutOfScopeClaims(req.Claims, req.Scope),
		Allowed:         consent.Scope,
		SessionEnds:     session.Expires,
		EachTime:        req.clientRecord.RequiresConsentEachTime(req.RedirectURI),
		OtherAccountURL: otherAccountURL,
	}
	page.Account = accountName(user)
	web.PageHeaders(w, pagePolicy(app))
	h.Site.LogRenderError(r, templates.Consent(w, page))
	return nil
}

// Consent handles POST /consent/{interaction}.
func (h *Handler) Consent(w http.ResponseWriter, r *http.Request) error {
	req, session, ok, err := h.openConsent(w, r)
	if !ok {
		return err
	}
	form, err := web.Params(r)
	if err != nil {
		return err
	}
	app := h.Site.App(req.clientRecord, req.RedirectURI)
	if form.Get("decision") != "allow" {
		return h.answerError(w, r, req, oauthError("", "access_denied", "the user did not allow it"))
	}
	if req.clientRecord.Dynamic && form.Get("app") != appHash(app) {
		// The client changed its name, logo or host while the page was open. Show the page again.
		web.Redirect(w, h.Site.Path(r.URL.EscapedPath()))
		return nil
	}
	earlier, err := h.Store.Consent(r.Context(), session.Subject, req.ClientID)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return h.answerError(w, r, req, err)
	}
	scope := req.Scope
	if h.Minter.APIScopes.NeedUser(scope) { // the page showed only what the user may grant
		user, err := h.Store.User(r.Context(), session.Subject)
		if err != nil {
			return h.answerError(w, r, req, err)
		}
		scope = h.Minter.APIScopes.AllowedToUser(user, scope)
	}
	appChanged := earlier.AppName != app.Name || earlier.AppLogoURI != app.LogoURI
	if req.clientRecord.Dynamic && appChanged {
		earlier = storage.Consent{} // the user has not seen this name or logo, so the earlier consent does not count
	}
	consent := storage.Consent{
		Subject: session.Subject,
		Client:  req.ClientID,
		Scope:   union(earlier.Scope, scope),
		Claims:  union(earlier.Claims, tokens.OutOfScopeClaims(req.Claims, req.Scope)),
		At:      h.Site.Now(),

		AppName:    app.Name,
		AppLogoURI: app.LogoURI,
		AppHosts:   union(earlier.AppHosts, []string{app.Host}),
	}
	if err := h.Store.PutConsent(r.Context(), consent); err != nil {
		return h.answerError(w, r, req, err)
	}
	req.ConsentGiven = true
	return h.proceed(w, r, req, session)
}

// appHash returns a hash of the name, logo and host of an app. The consent page posts it, so that Consent can detect a
// change of the app.
func appHash(app *templates.App) string {
	return storage.HashOf(app.Name + "\x00" + app.LogoURI + "\x00" + app.Host).String()
}

// union returns the elements of list, followed by those of added that list does not contain.
func union(list, added []string) []string {
	list = slices.Clone(list)
	for _, s := range added {
		if !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}

// openConsent opens the interaction and the session. ok is true if the consent page may continue. If the user is no
// longer signed in, or if another user has signed in since the page was shown, openConsent redirects to the request's
// next step and ok is false.
func (h *Handler) openConsent(
	w http.ResponseWriter,
	r *http.Request,
) (req *authRequest, session *storage.Session, ok bool, err error) {
	req, err = h.openInteraction(r, purposeConsent)
	if err != nil {
		return nil, nil, false, err
	}
	current, signedIn, err := h.Site.Session(r)
	if err != nil {
		return nil, nil, false, err
	}
	switch {
	case !signedIn:
		return nil, nil, false, h.proceed(w, r, req, nil)
	case current.ID != req.ConsentSession:
		return nil, nil, false, h.proceed(w, r, req, &current)
	}
	return req, &current, true, nil
}

// accountName returns the name of the account on pages: the e-mail address or, without one, the user name.
func accountName(u storage.User) string {
	if u.Email != "" {
		return u.Email
	}
	return u.Name
}
