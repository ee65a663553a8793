package signin

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/curfew-id/curfew/provider/authn"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// showSignIn writes the page of the chosen authenticator. problem says why the previous attempt was refused; login is
// the user name of that attempt. Both are empty on the first page.
func (h *Handler) showSignIn(
	w http.ResponseWriter,
	r *http.Request,
	req *authRequest,
	session *storage.Session,
	current step,
	problem templates.Problem,
	login string,
) error {
	prompt, err := h.prompt(w, r, req, session, current)
	if err != nil {
		return err
	}
	prompt.Problem = problem
	if login != "" {
		prompt.Login = login
	}
	writePage, err := h.authenticator(req).Page(r.Context(), prompt)
	if err != nil {
		return err
	}
	web.PageHeaders(w, pagePolicy(prompt.Application))
	if problem.RetryAfter > 0 {
		w.Header().Set("Retry-After", web.RetryAfter(problem.RetryAfter))
	}
	if problem.Fault != "" {
		w.WriteHeader(problemStatus(problem.Fault))
	}
	h.Site.LogRenderError(r, writePage(w))
	return nil
}

// prompt collects the data for an authenticator's page.
func (h *Handler) prompt(
	w http.ResponseWriter,
	r *http.Request,
	req *authRequest,
	session *storage.Session,
	current step,
) (authn.Prompt, error) {
	prompt := authn.Prompt{
		Page:        h.Site.Page(r),
		Action:      h.Site.Path(r.URL.EscapedPath()),
		Interaction: r.PathValue("interaction"),
		Application: h.requestingApp(req),
		Seal: func(state any) (action, interactionID string, err error) {
			next := req.interaction
			if next.MethodState, err = json.Marshal(state); err != nil {
				return "", "", fmt.Errorf("encode the state of %s: %w", h.authenticator(req).Method(), err)
			}
			interactionID, err = h.Site.SealInteraction(w, r, purposeLogin, next, interactionLifetime)
			return h.Site.Path("/login/" + interactionID), interactionID, err
		},
	}
	if !req.UseOtherAccount {
		prompt.Login = req.LoginHint
	}
	if req.clientRecord != nil {
		prompt.CancelURL = prompt.Action + "/cancel"
	}
	var err error
	if prompt.OtherMethods, err = h.otherMethods(w, r, req); err != nil {
		return prompt, err
	}
	if current != stepReauthenticate {
		return prompt, nil
	}
	user, err := h.Store.User(r.Context(), session.Subject)
	if err != nil {
		return prompt, err
	}
	prompt.User = &user
	prompt.RememberMe = session.RememberMe
	prompt.Page.Account = accountName(user)
	prompt.OtherAccountURL, err = h.otherAccountURL(w, r, req)
	return prompt, err
}

// otherMethods returns links to the pages of the authenticators that the user did not choose.
func (h *Handler) otherMethods(
	w http.ResponseWriter,
	r *http.Request,
	req *authRequest,
) ([]templates.SignInMethod, error) {
	chosen := h.authenticator(req).Method()
	var methods []templates.SignInMethod
	for _, a := range h.Authenticators {
		if a.Method() == chosen {
			continue
		}
		next := req.interaction
		next.Method, next.MethodState = a.Method(), nil
		interactionID, err := h.Site.SealInteraction(w, r, purposeLogin, next, interactionLifetime)
		if err != nil {
			return nil, err
		}
		methods = append(methods, templates.SignInMethod{Label: a.Label(), URL: h.Site.Path("/login/" + interactionID)})
	}
	return methods, nil
}

// problemStatus returns the HTTP status of a sign-in page that shows this problem.
func problemStatus(problem templates.Fault) int {
	switch problem {
	case templates.TooManyAttempts:
		return http.StatusTooManyRequests
	case templates.Busy:
		return http.StatusServiceUnavailable
	}
	return http.StatusOK
}

// showSelectAccount asks whether to continue with the account of the session (Core §3.1.2.1, prompt=select_account).
func (h *Handler) showSelectAccount(
	w http.ResponseWriter,
	r *http.Request,
	req *authRequest,
	session *storage.Session,
) error {
	user, err := h.Store.User(r.Context(), session.Subject)
	if err != nil {
		return err
	}
	otherAccountURL, err := h.otherAccountURL(w, r, req)
	if err != nil {
		return err
	}
	name, _ := user.Claims["name"].(string)
	page := templates.ChooseAccountPage{
		Page:            h.Site.Page(r),
		Action:          h.Site.Path(r.URL.EscapedPath()),
		Interaction:     r.PathValue("interaction"),
		Application:     h.requestingApp(req),
		Name:            name,
		OtherAccountURL: otherAccountURL,
	}
	page.Account = accountName(user)
	web.PageHeaders(w, pagePolicy(page.Application))
	h.Site.LogRenderError(r, templates.ChooseAccount(w, page))
	return nil
}

// showConfirmSignIn asks a user who has just signed out of this client to confirm a new sign-in. Without this page, a
// client that sends the browser straight back would sign the user in again unnoticed.
func (h *Handler) showConfirmSignIn(w http.ResponseWriter, r *http.Request, req *authRequest) {
	app := h.requestingApp(req)
	web.PageHeaders(w, pagePolicy(app))
	h.Site.LogRenderError(r, templates.SignInAgain(w, templates.SignInAgainPage{
		Page:        h.Site.Page(r),
		Action:      h.Site.Path(r.URL.EscapedPath()),
		Interaction: r.PathValue("interaction"),
		Application: *app,
		StayURL:     h.Site.Path("/account"),
	}))
}

// requestingApp returns the client for display on a page, or nil if the user goes to one of Curfew's own pages.
func (h *Handler) requestingApp(req *authRequest) *templates.App {
	if req.clientRecord == nil {
		return nil
	}
	return h.Site.App(req.clientRecord, req.RedirectURI)
}

// otherAccountURL returns the URL of the page where the user signs in with another account.
func (h *Handler) otherAccountURL(w http.ResponseWriter, r *http.Request, req *authRequest) (string, error) {
	next := req.interaction
	next.UseOtherAccount = true
	interactionID, err := h.Site.SealInteraction(w, r, purposeLogin, next, interactionLifetime)
	return h.Site.Path("/login/" + interactionID), err
}
