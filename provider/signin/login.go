package signin

import (
	"context"
	"errors"
	"net/http"
	"net/url"

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
		return h.answerError(w, r, req, err)
	case step == stepSelectAccount:
		return h.showSelectAccount(w, r, req, session)
	case step == stepConfirmSignIn:
		h.showConfirmSignIn(w, r, req)
		return nil
	case step == stepSignIn, step == stepReauthenticate, step == stepSecondFactor:
		if p := h.route(r, req); p != nil && step == stepSignIn {
			req.Routed = true
			h.Site.RememberRoute(w)
			return h.redirectToUpstream(w, r, req, p, req.hasPrompt("login"))
		}
		problem := templates.Problem{}
		if req.Problem != nil {
			problem = *req.Problem
		}
		return h.showSignIn(w, r, req, session, step, problem, "")
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
		return h.answerError(w, r, req, err)
	case step == stepSelectAccount:
		req.AccountSelected = true
		return h.proceed(w, r, req, session)
	case step == stepConfirmSignIn:
		req.SignInConfirmed = true
		h.Site.ForgetSignOut(w, r, req.ClientID)
		return h.proceed(w, r, req, session)
	case step == stepSignIn, step == stepReauthenticate, step == stepSecondFactor:
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

// signIn passes the form to the chosen authenticator and starts or renews the session. If the authenticator refuses,
// it shows the page again with the problem. If a password is not enough, it leads to the second factor.
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
	start := func() (startedSession, error) { return h.authenticate(r, req, session, current, form) }
	// A repeated form is the same proof: a one-time code in it counts once, and both answers are those of the first.
	formKey := r.PathValue("interaction") + " " + storage.HashOf(form.Encode()).String()
	started, isRepeated, err := h.started.do(r.Context(), formKey, h.Site.Now(), start)
	if err == nil && isRepeated && !h.isActive(r, started) {
		started, err = start()
	}
	if refusal, ok := errors.AsType[*authn.Refusal](err); ok {
		return h.showSignIn(w, r, req, session, current, refusal.Problem, form.Get(authn.FieldUsername))
	}
	if needed, ok := errors.AsType[*secondFactorNeededError](err); ok {
		req.First, req.Method, req.MethodState = &needed.first, "", nil
		return h.redirectToInteraction(w, r, req, purposeLogin, "/login/")
	}
	if errors.Is(err, storage.ErrRevoked) {
		req.First, req.Method, req.MethodState = nil, "", nil
		problem := templates.Problem{Fault: templates.SessionOver}
		return h.showSignIn(w, r, req, nil, stepSignIn, problem, form.Get(authn.FieldUsername))
	}
	if err != nil {
		return err
	}
	if current == stepSecondFactor && form.Get(fieldRememberBrowser) != "" && h.Policy.RememberBrowser > 0 {
		h.rememberBrowser(w, r, started.session.Subject)
	}
	return h.signedIn(w, r, req, started)
}

// signedIn gives the browser the session that a sign-in started, and goes on with the request.
func (h *Handler) signedIn(w http.ResponseWriter, r *http.Request, req *authRequest, started startedSession) error {
	h.setSession(w, r, started)
	if err := h.linkPending(r, req, started.session.Subject); err != nil {
		return err
	}
	req.First, req.Method, req.MethodState, req.Problem = nil, "", nil, nil
	req.UseOtherAccount = false
	req.AccountSelected = true
	if len(started.recoveryCodes) > 0 {
		return h.showRecoveryCodes(w, r, req, started)
	}
	return h.proceed(w, r, req, &started.session)
}

// fieldRememberBrowser is a ticked box of the pages that ask for a second factor.
const fieldRememberBrowser = "remember-browser"

// authenticate has the chosen authenticator check the form, and stores the session. Its error is an *[authn.Refusal] if
// the form proves nothing, a *secondFactorNeededError if a password is correct and not enough, and storage.ErrRevoked
// if what was proven does not count any more.
func (h *Handler) authenticate(
	r *http.Request,
	req *authRequest,
	session *storage.Session,
	current step,
	form url.Values,
) (startedSession, error) {
	attempt := authn.Attempt{
		Form:      form,
		State:     req.MethodState,
		At:        h.Site.Now(),
		Sequence:  req.sequence,
		Address:   h.Site.ClientAddress(r),
		UserAgent: web.UserAgent(r),
		Device:    func(subject string) string { return h.Site.Device(r, subject) },
	}
	if current == stepReauthenticate { // the form cannot choose another account
		attempt.User = &storage.User{Subject: session.Subject}
	}
	rememberMe := form.Get("keep") != ""
	endOldest := form.Get("end-oldest") != ""
	var first authn.Authentication
	if current == stepSecondFactor {
		var err error
		if first, err = h.firstAuthentication(r, req, session); err != nil {
			return startedSession{}, err
		}
		attempt.User = &first.User
		if pending := h.pending(req); pending != nil {
			rememberMe = pending.RememberMe
			endOldest = pending.EndOldest
		} else {
			rememberMe = session.RememberMe
		}
	}
	choice, err := h.authenticators(r.Context(), req, session, current, attempt.User)
	if err != nil {
		return startedSession{}, err
	}
	authenticator := chooseAuthenticator(choice, form.Get(authn.FieldMethod), req.Method)
	authentication, err := authenticator.Authenticate(r.Context(), attempt)
	if err == nil {
		err = h.checkRequestedUser(req, authentication.User)
	}
	if refusal, ok := errors.AsType[*authn.Refusal](err); ok {
		h.logRefusal(r, authenticator.Method(), refusal.Reason, refusal.Subject, attempt.Address)
	}
	if err != nil {
		return startedSession{}, err
	}
	options := startOptions{rememberMe: rememberMe, endOldest: endOldest}
	if current == stepSecondFactor {
		codes := authentication.RecoveryCodes
		authentication = authn.Combine(first, authentication)
		authentication.RecoveryCodes = codes
		if pending := h.pending(req); pending != nil {
			if err := h.useFirstFactor(r.Context(), pending, attempt.At); err != nil {
				return startedSession{}, err
			}
		}
		options.stepUp = h.pending(req) == nil
		return h.start(r, session, authenticator, authentication, options)
	}
	return h.startOrAskMore(r, req, session, authenticator, authentication, options)
}

// startOptions says how a session starts.
type startOptions struct {
	rememberMe bool
	endOldest  bool // end old sessions to make room for this one
	stepUp     bool // only the session of the browser is renewed
}

// startOrAskMore starts the session of a user who has proven one factor. Its error is a *secondFactorNeededError if
// that is not enough. authenticator is nil after a sign-in at an upstream.
func (h *Handler) startOrAskMore(
	r *http.Request,
	req *authRequest,
	session *storage.Session,
	authenticator authn.Authenticator,
	authentication authn.Authentication,
	options startOptions,
) (startedSession, error) {
	needed, err := h.needsSecondFactor(r, req, &authentication)
	if err != nil {
		return startedSession{}, err
	}
	if !needed {
		return h.start(r, session, authenticator, authentication, options)
	}
	// The user decides about old sessions with the first factor; they end after the second factor.
	if !options.endOldest {
		if err := h.makeRoom(r, session, authentication.User.Subject, false); err != nil {
			return startedSession{}, err
		}
	}
	first := newFirstFactor(authentication, options.rememberMe, options.endOldest)
	return startedSession{}, &secondFactorNeededError{first}
}

// start makes room for a session and starts it.
func (h *Handler) start(
	r *http.Request,
	session *storage.Session,
	authenticator authn.Authenticator,
	authentication authn.Authentication,
	options startOptions,
) (startedSession, error) {
	if err := h.makeRoom(r, session, authentication.User.Subject, options.endOldest); err != nil {
		return startedSession{}, err
	}
	started, err := h.startSession(r, session, authenticator, authentication, options.rememberMe, options.stepUp)
	if errors.Is(err, storage.ErrRevoked) && authenticator != nil {
		subject := authentication.User.Subject
		h.logRefusal(r, authenticator.Method(), err.Error(), subject, h.Site.ClientAddress(r))
	}
	return started, err
}

// logRefusal logs why a sign-in was refused.
func (h *Handler) logRefusal(r *http.Request, method, reason, subject, address string) {
	h.Site.Logger().InfoContext(
		r.Context(),
		"sign-in refused",
		"method", method,
		"reason", reason,
		"sub", subject,
		"address", address,
	)
}

// checkRequestedUser returns a refusal if the request names another user.
func (h *Handler) checkRequestedUser(req *authRequest, user storage.User) error {
	if h.isRequestedUser(req, user) {
		return nil
	}
	return &authn.Refusal{
		Problem: templates.Problem{Fault: templates.OtherUser},
		Reason:  "the request names another user",
		Subject: user.Subject,
	}
}

// isRequestedUser reports whether user is the one that id_token_hint or the claims parameter names. It returns true if
// the request names no user (Core §3.1.2.1).
func (h *Handler) isRequestedUser(req *authRequest, user storage.User) bool {
	if req.clientRecord == nil || req.HintSubject == "" {
		return true
	}
	return req.HintSubject == h.Minter.SubjectFor(user.Subject, req.clientRecord)
}

// chooseAuthenticator returns the first authenticator with one of these methods, by default the first of all.
func chooseAuthenticator(choice []authn.Authenticator, methods ...string) authn.Authenticator {
	for _, method := range methods {
		for _, a := range choice {
			if a.Method() == method {
				return a
			}
		}
	}
	return choice[0]
}

// authenticators returns the authenticators that the user may choose from in this step.
func (h *Handler) authenticators(
	ctx context.Context,
	req *authRequest,
	session *storage.Session,
	current step,
	user *storage.User,
) ([]authn.Authenticator, error) {
	if current != stepSecondFactor {
		return h.Authenticators, nil
	}
	choice, err := h.secondFactors(ctx, req, session, *user)
	if err == nil && len(choice) == 0 { // what the user had was removed meanwhile
		err = errFirstFactorOver
	}
	return choice, err
}
