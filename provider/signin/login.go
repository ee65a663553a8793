package signin

import (
	"errors"
	"net/http"

	"github.com/curfew-id/curfew/provider/authn"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// ShowLogin handles GET /login/{interaction}. It shows the page of the request's next step.
func (h *Handler) ShowLogin(w http.ResponseWriter, r *http.Request) error {
	req, session, err := h.openLogin(r)
	if err != nil {
		return err
	}
	switch step, err := h.nextStep(r, req, session); {
	case err != nil:
		return err
	case step == stepSelectAccount:
		return h.showSelectAccount(w, r, req, session)
	case step == stepConfirmSignIn:
		h.showConfirmSignIn(w, r, req)
		return nil
	case step == stepSignIn, step == stepReauthenticate:
		return h.showSignIn(w, r, req, session, step, templates.Problem{}, "")
	default: // the user has signed in in another tab
		return h.proceed(w, r, req, session)
	}
}

// Login handles POST /login/{interaction}.
func (h *Handler) Login(w http.ResponseWriter, r *http.Request) error {
	req, session, err := h.openLogin(r)
	if err != nil {
		return err
	}
	switch step, err := h.nextStep(r, req, session); {
	case err != nil:
		return err
	case step == stepSelectAccount:
		req.AccountSelected = true
		return h.proceed(w, r, req, session)
	case step == stepConfirmSignIn:
		req.SignInConfirmed = true
		h.Site.ForgetSignOut(w, r, req.ClientID)
		return h.proceed(w, r, req, session)
	case step == stepSignIn, step == stepReauthenticate:
		return h.signIn(w, r, req, session, step)
	default: // the user has signed in in another tab
		return h.proceed(w, r, req, session)
	}
}

// Cancel handles GET /login/{interaction}/cancel. It returns to the client without signing in.
func (h *Handler) Cancel(w http.ResponseWriter, r *http.Request) error {
	req, err := h.openInteraction(r, purposeLogin)
	if err != nil {
		return err
	}
	if req.clientRecord == nil {
		return web.PageError{
			Status: http.StatusNotFound,
			Reason: "a sign-in that no client asked for cannot be cancelled",
		}
	}
	return h.answerError(w, r, req, oauthError("", "access_denied", "the user chose not to sign in"))
}

// openLogin opens the interaction and returns the session, or nil if the browser is not signed in.
func (h *Handler) openLogin(r *http.Request) (*authRequest, *storage.Session, error) {
	req, err := h.openInteraction(r, purposeLogin)
	if err != nil {
		return nil, nil, err
	}
	session, ok, err := h.Site.Session(r)
	if err != nil || !ok {
		return req, nil, err
	}
	return req, &session, nil
}

// signIn passes the form to the chosen authenticator and starts the session. If the authenticator refuses, it shows
// the page again with the problem.
func (h *Handler) signIn(
	w http.ResponseWriter,
	r *http.Request,
	req *authRequest,
	session *storage.Session,
	current step,
) error {
	form, err := web.Params(r)
	if err != nil {
		return err
	}
	attempt := authn.Attempt{
		Form:     form,
		State:    req.MethodState,
		At:       h.Site.Now(),
		Sequence: req.sequence,
		Address:  h.Site.ClientAddress(r),
		Device:   func(subject string) string { return h.Site.Device(r, subject) },
	}
	if current == stepReauthenticate { // the form cannot choose another account
		attempt.User = &storage.User{Subject: session.Subject}
	}
	authenticator := h.authenticator(req)
	authentication, err := authenticator.Authenticate(r.Context(), attempt)
	if err == nil && !h.isRequestedUser(req, authentication.User) {
		err = &authn.Refusal{
			Problem: templates.Problem{Fault: templates.OtherUser},
			Reason:  "the request names another user",
			Subject: authentication.User.Subject,
		}
	}
	if refusal, ok := errors.AsType[*authn.Refusal](err); ok {
		h.logRefusal(r, authenticator, refusal.Reason, refusal.Subject, attempt.Address)
		return h.showSignIn(w, r, req, session, current, refusal.Problem, form.Get(authn.FieldUsername))
	}
	if err != nil {
		return err
	}
	newSession, err := h.startSession(w, r, session, authenticator, authentication, form.Get("keep") != "")
	if errors.Is(err, storage.ErrRevoked) {
		h.logRefusal(r, authenticator, err.Error(), authentication.User.Subject, attempt.Address)
		problem := templates.Problem{Fault: templates.SessionOver}
		return h.showSignIn(w, r, req, nil, stepSignIn, problem, form.Get(authn.FieldUsername))
	}
	if err != nil {
		return err
	}
	req.UseOtherAccount = false
	req.AccountSelected = true
	return h.proceed(w, r, req, &newSession)
}

// logRefusal logs why a sign-in was refused.
func (h *Handler) logRefusal(r *http.Request, authenticator authn.Authenticator, reason, subject, address string) {
	h.Site.Logger().InfoContext(
		r.Context(),
		"sign-in refused",
		"method", authenticator.Method(),
		"reason", reason,
		"sub", subject,
		"address", address,
	)
}

// isRequestedUser reports whether user is the one that id_token_hint or the claims parameter names. It returns true if
// the request names no user (Core §3.1.2.1).
func (h *Handler) isRequestedUser(req *authRequest, user storage.User) bool {
	if req.clientRecord == nil || req.HintSubject == "" {
		return true
	}
	return req.HintSubject == h.Minter.SubjectFor(user.Subject, req.clientRecord)
}

// authenticator returns the authenticator that the user chose, by default the first.
func (h *Handler) authenticator(req *authRequest) authn.Authenticator {
	for _, a := range h.Authenticators {
		if a.Method() == req.Method {
			return a
		}
	}
	return h.Authenticators[0]
}
