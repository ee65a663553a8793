package signin

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

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
	choice, chosen, user, err := h.choice(r, req, session, current)
	if errors.Is(err, storage.ErrRevoked) { // the page of a second factor was open too long
		req.First, req.Method, req.MethodState = nil, "", nil
		return h.redirectToInteraction(w, r, req, purposeLogin, "/login/")
	}
	if err != nil {
		return err
	}
	prompt, err := h.prompt(w, r, req, session, current, chosen, user)
	if err != nil {
		return err
	}
	if prompt.OtherMethods, err = h.otherMethods(w, r, req, choice, chosen); err != nil {
		return err
	}
	if current != stepSecondFactor {
		if prompt.Upstreams, err = h.upstreamLinks(r, user); err != nil {
			return err
		}
	}
	prompt.Problem = problem
	if login != "" {
		prompt.Login = login
	}
	writePage, err := chosen.Page(r.Context(), prompt)
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
	chosen authn.Authenticator,
	user *storage.User,
) (authn.Prompt, error) {
	prompt := authn.Prompt{
		Page:        h.Site.Page(r),
		Action:      h.Site.Path(r.URL.EscapedPath()),
		Interaction: r.PathValue("interaction"),
		Application: h.requestingApp(req),
		Seal: func(state any) (action, interactionID string, err error) {
			next := req.interaction
			next.Method = chosen.Method()
			if next.MethodState, err = json.Marshal(state); err != nil {
				return "", "", fmt.Errorf("encode the state of %s: %w", chosen.Method(), err)
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
	if req.Method == chosen.Method() {
		prompt.State = req.MethodState
	}
	if user == nil {
		return prompt, nil
	}
	prompt.User = user
	if current == stepReauthenticate {
		prompt.RememberMe = session.RememberMe
		prompt.Page.Account = accountName(*user)
	}
	if current == stepSecondFactor {
		prompt.RememberDays = int(h.Policy.RememberBrowser / (24 * time.Hour))
	}
	var err error
	prompt.OtherAccountURL, err = h.otherAccountURL(w, r, req)
	return prompt, err
}

// choice returns the authenticators of this step, the chosen one, and the only user who may answer; nil: any.
func (h *Handler) choice(
	r *http.Request,
	req *authRequest,
	session *storage.Session,
	current step,
) (choice []authn.Authenticator, chosen authn.Authenticator, user *storage.User, err error) {
	switch current {
	case stepSecondFactor:
		first, err := h.firstAuthentication(r, req, session)
		if err != nil {
			return nil, nil, nil, err
		}
		user = &first.User
	case stepReauthenticate:
		u, err := h.Store.User(r.Context(), session.Subject)
		if err != nil {
			return nil, nil, nil, err
		}
		user = &u
	}
	if choice, err = h.authenticators(r.Context(), req, session, current, user); err != nil {
		return nil, nil, nil, err
	}
	return choice, chooseAuthenticator(choice, req.Method), user, nil
}

// showRecoveryCodes shows new recovery codes, once, to a user who set up a second factor to sign in.
func (h *Handler) showRecoveryCodes(
	w http.ResponseWriter,
	r *http.Request,
	req *authRequest,
	started startedSession,
) error {
	interactionID, err := h.Site.SealInteraction(w, r, purposeLogin, req.interaction, interactionLifetime)
	if err != nil {
		return err
	}
	web.PageHeaders(w, pagePolicy(nil))
	h.Site.LogRenderError(r, templates.RecoveryCodes(w, templates.RecoveryCodesPage{
		Page:        h.Site.Page(r),
		Codes:       started.recoveryCodes,
		ContinueURL: h.Site.Path("/login/" + interactionID),
	}))
	return nil
}

// otherMethods returns links to the pages of the authenticators that the user did not choose.
func (h *Handler) otherMethods(
	w http.ResponseWriter,
	r *http.Request,
	req *authRequest,
	choice []authn.Authenticator,
	chosen authn.Authenticator,
) ([]templates.SignInMethod, error) {
	var methods []templates.SignInMethod
	for _, a := range choice {
		if a.Method() == chosen.Method() || a.Label() == "" {
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
	next.First, next.Method, next.MethodState = nil, "", nil
	interactionID, err := h.Site.SealInteraction(w, r, purposeLogin, next, interactionLifetime)
	return h.Site.Path("/login/" + interactionID), err
}
