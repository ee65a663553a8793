package signout

import (
	"cmp"
	"context"
	"net/http"
	"slices"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider/logoutview"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// ConfirmPath is the path to which the confirmation page posts its form.
const ConfirmPath = "/end_session/confirm"

// confirmation is what the confirmation page keeps, sealed, for its form: the request and the session of the user who
// sees the page.
type confirmation struct {
	Request   logoutRequest     `json:"v"`
	SessionID storage.SessionID `json:"s"`
}

// renderConfirmation asks the user which sessions to end. The first choice is the default.
func (h *Handler) renderConfirmation(
	w http.ResponseWriter,
	r *http.Request,
	req logoutRequest,
	session *storage.Session,
) error {
	ctx := r.Context()
	user, err := h.Store.User(ctx, session.Subject)
	if err != nil {
		return err
	}
	interactionID, err := h.Site.SealInteraction(w, r, purposeConfirm, confirmation{req, session.ID}, requestLifetime)
	if err != nil {
		return err
	}
	page := templates.SignOutPage{
		Page:        h.Site.Page(r),
		Action:      h.Site.Path(ConfirmPath),
		Interaction: interactionID,
		Application: h.requestingApp(req),
		Problem:     req.Problem,
	}
	page.Account = cmp.Or(user.Email, user.Name)
	if page.Offline, err = h.View.OfflineClientNames(ctx, session.Subject); err != nil {
		return err
	}
	if page.Choices, err = h.choices(ctx, req, session); err != nil {
		return err
	}
	policy := web.PagePolicy{
		HasForms:     true, // not FormsToSelf: the response to the form may redirect to the app
		ImageOrigins: web.LogoOrigins(page.Application),
	}
	web.PageHeaders(w, policy)
	if req.Problem != "" {
		web.LogRefusal(ctx, h.Site.Logger(), web.Refusal{
			Status:  http.StatusBadRequest,
			Reason:  req.Problem.LogText(""),
			Subject: req.ProblemSubject,
		})
		w.WriteHeader(http.StatusBadRequest)
	}
	h.Site.LogRenderError(r, templates.SignOut(w, page))
	return nil
}

// choices returns the user's choices with the effect of each. If the user has only one session, ending it and ending
// all sessions are the same: only the preferred choice of the two is returned.
func (h *Handler) choices(
	ctx context.Context,
	req logoutRequest,
	session *storage.Session,
) ([]templates.SignOutChoice, error) {
	now := h.Site.Now()
	allSessions, err := logoutview.AllSessions(ctx, h.Store, session.Subject, now)
	if err != nil {
		return nil, err
	}
	const allClients, offlineOnly = "", false
	grants, err := h.Store.ListGrants(ctx, session.Subject, allClients, offlineOnly, now)
	if err != nil {
		return nil, err
	}
	var choices []templates.SignOutChoice
	sessionOffered := false // choices contains ScopeSession or ScopeAll
	for _, scope := range logout.ScopeChoices(h.scopeOf(req), session, req.ClientID) {
		if scope != storage.ScopeClient {
			if sessionOffered && len(allSessions) == 1 {
				continue
			}
			sessionOffered = true
		}
		sessions := []storage.Session{*session}
		switch scope {
		case storage.ScopeClient:
			sessions[0].ClientSessions = []storage.ClientSession{*session.ClientSession(req.ClientID)}
		case storage.ScopeAll:
			sessions = allSessions
		}
		choice := templates.SignOutChoice{Scope: templates.LogoutScope(scope)}
		if choice.Notified, choice.Unnotified, err = h.View.AppNames(ctx, sessions); err != nil {
			return nil, err
		}
		options := logout.PreviewOptions{Lifetimes: h.Lifetimes}
		estimate, err := logoutview.EstimateHorizon(ctx, h.Store, sessions, grants, now, options)
		if err != nil {
			return nil, err
		}
		horizon := logoutview.PageHorizon(estimate, h.View.Upstreams)
		choice.Preview = &horizon
		choices = append(choices, choice)
	}
	return choices, nil
}

// Confirm handles POST /end_session/confirm.
func (h *Handler) Confirm(w http.ResponseWriter, r *http.Request) error {
	form, err := web.Params(r)
	if err != nil {
		return err
	}
	var confirmed confirmation
	if _, err := h.Site.OpenInteraction(r, purposeConfirm, form.Get("interaction"), &confirmed); err != nil {
		return err
	}
	session, signedIn, err := h.Site.Session(r)
	if err != nil {
		return err
	}
	req, err := h.revalidate(r.Context(), confirmed.Request)
	if err != nil {
		return err
	}
	req.Problem = "" // the page has shown the problem already
	if !signedIn {
		return h.renderNoSession(w, r, req)
	}
	if session.ID != confirmed.SessionID {
		// Another user has signed in since the page was shown.
		return h.renderConfirmation(w, r, confirmed.Request, &session)
	}
	scope := storage.LogoutScope(form.Get("scope"))
	if slices.Contains(logout.ScopeChoices(h.scopeOf(req), &session, req.ClientID), scope) {
		return h.endForRequest(w, r, req, &session, scope)
	}
	// The user chose to stay signed in.
	page := templates.MessagePage{
		Page:    h.Site.Page(r),
		Message: templates.MessageStillSignedIn,
		LinkURL: h.Site.Path("/account"),
	}
	web.PageHeaders(w, web.PagePolicy{FormsToSelf: true})
	h.Site.LogRenderError(r, templates.Message(w, page))
	return nil
}
