package signout

import (
	"context"
	"net/http"
	"slices"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// ConfirmPath takes what the confirmation page sends.
const ConfirmPath = "/end_session/confirm"

// confirmation is what the confirmation page asks about.
type confirmation struct {
	Request   logoutRequest     `json:"v"`
	SessionID storage.SessionID `json:"s"`
}

// renderConfirmation asks what to end. The first choice is what would happen by default.
func (h *Handler) renderConfirmation(w http.ResponseWriter, r *http.Request, req logoutRequest, session *storage.Session) {
	ctx := r.Context()
	user, err := h.Store.User(ctx, session.Subject)
	if err != nil {
		h.Site.RenderError(w, r, web.PageErrorFrom(err))
		return
	}
	interactionID, err := h.Site.SealInteraction(w, r, purposeConfirm, confirmation{req, session.ID}, requestLifetime)
	if err != nil {
		h.Site.RenderError(w, r, web.PageErrorFrom(err))
		return
	}
	page := templates.SignOutPage{Page: h.Site.Page(r), Action: h.Site.Path(ConfirmPath), Interaction: interactionID, Application: h.requestingApp(ctx, req), Problem: req.Problem}
	page.Account = user.Name
	if user.Email != "" {
		page.Account = user.Email
	}
	if page.Offline, err = h.offlineClientNames(ctx, session.Subject); err != nil {
		h.Site.RenderError(w, r, web.PageErrorFrom(err))
		return
	}
	for _, scope := range h.choices(r, req, session) {
		preview, err := h.preview(ctx, scope, session, req.ClientID)
		if err != nil {
			h.Site.RenderError(w, r, web.PageErrorFrom(err))
			return
		}
		page.Choices = append(page.Choices, templates.SignOutChoice{Scope: scope, Preview: preview})
	}
	web.PageHeaders(w, web.PagePolicy{HasForms: true, ImageOrigins: web.LogoOrigins(page.Application)}) // no form-action: the answer may lead to the application
	if req.Problem != "" {
		w.WriteHeader(http.StatusBadRequest)
	}
	h.Site.LogRenderError(r, templates.SignOut(w, page))
}

// preview is what would remain after that extent.
func (h *Handler) preview(ctx context.Context, scope templates.LogoutScope, session *storage.Session, client string) (*templates.Horizon, error) {
	now := h.Site.Now()
	grants, err := h.Store.ListGrants(ctx, session.Subject, "", false, now)
	if err != nil {
		return nil, err
	}
	sessions := []storage.Session{*session}
	switch scope {
	case templates.ScopeClient:
		sessions[0].ClientSessions = nil
		if clientSession := session.ClientSession(client); clientSession != nil {
			sessions[0].ClientSessions = []storage.ClientSession{*clientSession}
		}
	case templates.ScopeAll:
		if sessions, err = AllSessions(ctx, h.Store, session.Subject, now); err != nil {
			return nil, err
		}
	}
	estimate, err := EstimateHorizon(ctx, h.Store, sessions, grants, now, logout.PreviewOptions{Lifetimes: h.Lifetimes})
	if err != nil {
		return nil, err
	}
	horizon := PageHorizon(estimate)
	return &horizon, nil
}

// choices are the extents that make sense here, the default first.
func (h *Handler) choices(r *http.Request, req logoutRequest, session *storage.Session) []templates.LogoutScope {
	scopes := []templates.LogoutScope{templates.ScopeSession, templates.ScopeAll}
	if session.ClientSession(req.ClientID) != nil {
		scopes = append(scopes, templates.ScopeClient)
	}
	defaultScope := h.logoutScope(r, req)
	slices.SortStableFunc(scopes, func(a, b templates.LogoutScope) int {
		switch {
		case a == b:
			return 0
		case a == defaultScope:
			return -1
		case b == defaultScope:
			return 1
		}
		return 0
	})
	return scopes
}

// Confirm is POST /end_session/confirm.
func (h *Handler) Confirm(w http.ResponseWriter, r *http.Request) {
	form, err := web.Params(r)
	if err != nil {
		h.Site.RenderError(w, r, web.PageErrorFrom(err))
		return
	}
	var confirmed confirmation
	if _, err := h.Site.OpenInteraction(r, purposeConfirm, form.Get("interaction"), &confirmed); err != nil {
		h.Site.RenderError(w, r, web.PageErrorFrom(err))
		return
	}
	session, signedIn, err := h.Site.Session(r)
	if err != nil {
		h.Site.RenderError(w, r, web.PageErrorFrom(err))
		return
	}
	req, err := h.revalidate(r.Context(), confirmed.Request)
	if err != nil {
		h.Site.RenderError(w, r, web.PageErrorFrom(err))
		return
	}
	req.Problem = "" // the person has seen it; a target it was about is not in the verdict
	switch scope := templates.LogoutScope(form.Get("scope")); {
	case !signedIn:
		h.renderNoSession(w, r, req)
	case session.ID != confirmed.SessionID:
		// Somebody else signed in meanwhile: they were not asked.
		h.renderConfirmation(w, r, confirmed.Request, &session)
	case slices.Contains(h.choices(r, req, &session), scope):
		h.endForRequest(w, r, req, &session, scope)
	default:
		page := templates.MessagePage{Page: h.Site.Page(r), Title: "You are still signed in", Text: "Nothing was ended.", LinkURL: h.Site.Path("/account"), LinkText: "See where you are signed in"}
		web.PageHeaders(w, web.PagePolicy{FormsToSelf: true})
		h.Site.LogRenderError(r, templates.Message(w, page))
	}
}

// selector says what an extent ends.
func selector(scope templates.LogoutScope, session *storage.Session, client string) storage.Selector {
	switch scope {
	case templates.ScopeClient:
		return storage.Selector{Sessions: []storage.SessionID{session.ID}, Client: client}
	case templates.ScopeAll:
		return storage.Selector{Subject: session.Subject}
	}
	return storage.Selector{Sessions: []storage.SessionID{session.ID}}
}
