package signin

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/curfew-id/curfew/provider/password"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// Hasher checks passwords (provider/password). An empty hash costs as much as a real one, so that unknown users take as long as known ones.
type Hasher interface {
	Verify(ctx context.Context, stored, password string) (ok, rehash bool, err error)
	Hash(ctx context.Context, password string) (string, error)
}

// Limiter limits attempts for each account and address, and counts before anything is hashed (provider/password).
type Limiter interface {
	Allow(ctx context.Context, at time.Time, account, address string, knownDevice bool) error
	RecordSuccess(ctx context.Context, account, address string, knownDevice bool) error
}

// ShowLogin is GET /login/{interaction}: the page that the request needs now.
func (h *Handler) ShowLogin(w http.ResponseWriter, r *http.Request) {
	req, session, ok := h.openLogin(w, r)
	if !ok {
		return
	}
	switch step, err := h.nextStep(r, req, session); {
	case err != nil:
		h.answerError(w, r, nil, err)
	case step == stepFinish, step == stepConsent: // signed in meanwhile, in another tab
		h.proceed(w, r, req, session)
	default:
		h.showLogin(w, r, req, session, step, templates.Problem{}, "")
	}
}

// openLogin opens the handle and, if somebody is signed in, the session.
func (h *Handler) openLogin(w http.ResponseWriter, r *http.Request) (*authRequest, *storage.Session, bool) {
	req, err := h.openInteraction(r, purposeLogin)
	if err != nil {
		h.answerError(w, r, nil, err)
		return nil, nil, false
	}
	session, ok, err := h.Site.Session(r)
	if err != nil {
		h.answerError(w, r, nil, err)
		return nil, nil, false
	}
	if !ok {
		return req, nil, true
	}
	return req, &session, true
}

// showLogin writes the page of the step at which the request stands.
func (h *Handler) showLogin(w http.ResponseWriter, r *http.Request, req *authRequest, session *storage.Session, current step, problem templates.Problem, login string) {
	var app *templates.App
	if req.clientRecord != nil {
		app = h.Site.App(req.clientRecord, req.RedirectURI)
	}
	var user storage.User
	if current == stepReauthenticate || current == stepSelectAccount {
		var err error
		if user, err = h.Store.User(r.Context(), session.Subject); err != nil {
			h.answerError(w, r, nil, err)
			return
		}
	}
	otherAccountURL, err := h.otherAccountURL(w, r, req)
	if err != nil {
		h.answerError(w, r, nil, err)
		return
	}
	action, interactionID, basePage := h.Site.Path(r.URL.EscapedPath()), r.PathValue("interaction"), h.Site.Page(r)
	web.PageHeaders(w, pagePolicy(app))
	if problem.RetryAfter > 0 {
		w.Header().Set("Retry-After", web.RetryAfter(problem.RetryAfter))
	}
	if problem.Fault != "" {
		w.WriteHeader(problemStatus(problem.Fault))
	}
	switch current {
	case stepConfirmSignIn:
		h.Site.LogRenderError(r, templates.SignInAgain(w, templates.SignInAgainPage{Page: basePage, Action: action, Interaction: interactionID, Application: *app, StayURL: h.Site.Path("/account")}))
	case stepSelectAccount:
		basePage.Account = accountName(user)
		name, _ := user.Claims["name"].(string)
		h.Site.LogRenderError(r, templates.ChooseAccount(w, templates.ChooseAccountPage{Page: basePage, Action: action, Interaction: interactionID, Application: app, Name: name, OtherAccountURL: otherAccountURL}))
	default:
		page := templates.SignInPage{Page: basePage, Action: action, Interaction: interactionID, Application: app, Login: login, OfferRememberMe: true, Problem: problem}
		if login == "" && !req.UseOtherAccount {
			page.Login = req.LoginHint
		}
		if current == stepReauthenticate {
			page.AccountFixed, page.Login, page.OtherAccountURL, page.RememberMe = true, user.Name, otherAccountURL, session.RememberMe
			page.Page.Account = accountName(user)
		}
		if req.clientRecord != nil {
			page.CancelURL = action + "/cancel"
		}
		h.Site.LogRenderError(r, templates.SignIn(w, page))
	}
}

// problemStatus is the HTTP status of a sign-in page that says what was wrong.
func problemStatus(problem templates.Fault) int {
	switch problem {
	case templates.TooManyAttempts:
		return http.StatusTooManyRequests
	case templates.Busy:
		return http.StatusServiceUnavailable
	}
	return http.StatusOK
}

// otherAccountURL is where the person signs in as somebody else.
func (h *Handler) otherAccountURL(w http.ResponseWriter, r *http.Request, req *authRequest) (string, error) {
	next := req.interaction
	next.UseOtherAccount = true
	interactionID, err := h.Site.SealInteraction(w, r, purposeLogin, next, h.Lifetimes.Interaction)
	return h.Site.Path("/login/" + interactionID), err
}

// Cancel is GET /login/{interaction}/cancel: back to the application without signing in.
func (h *Handler) Cancel(w http.ResponseWriter, r *http.Request) {
	req, err := h.openInteraction(r, purposeLogin)
	if err != nil {
		h.answerError(w, r, nil, err)
		return
	}
	if req.clientRecord == nil {
		h.Site.RenderError(w, r, web.PageError{Status: http.StatusNotFound})
		return
	}
	h.answerError(w, r, req, oauthError("access_denied", "the person chose not to sign in"))
}

// Login is POST /login/{interaction}.
func (h *Handler) Login(w http.ResponseWriter, r *http.Request) {
	req, session, ok := h.openLogin(w, r)
	if !ok {
		return
	}
	form, err := web.Params(r)
	if err != nil {
		h.answerError(w, r, nil, err)
		return
	}
	step, err := h.nextStep(r, req, session)
	if err != nil {
		h.answerError(w, r, nil, err)
		return
	}
	switch step {
	case stepSelectAccount:
		req.AccountSelected = true
		h.proceed(w, r, req, session)
	case stepConfirmSignIn:
		req.SignInConfirmed = true
		h.Site.ForgetSignOut(w, r, req.ClientID)
		h.proceed(w, r, req, session)
	case stepSignIn, stepReauthenticate:
		login := strings.TrimSpace(form.Get("username"))
		if step == stepReauthenticate {
			login = "" // the account is the session's, whatever the form says
		}
		readAt := h.Site.Now() // before anything is read: what ends from now on ends this sign-in too
		user, problem, err := h.authenticate(r, req, session, login, form.Get("password"), readAt)
		if err != nil {
			h.answerError(w, r, nil, err)
			return
		}
		if problem.Fault != "" {
			h.showLogin(w, r, req, session, step, problem, login)
			return
		}
		newSession, err := h.startSession(w, r, session, user, form.Get("keep") != "", readAt)
		if errors.Is(err, storage.ErrRevoked) {
			h.showLogin(w, r, req, nil, stepSignIn, templates.Problem{Fault: templates.SessionOver}, login)
			return
		}
		if err != nil {
			h.answerError(w, r, nil, err)
			return
		}
		req.UseOtherAccount = false
		req.AccountSelected = true
		h.proceed(w, r, req, &newSession)
	default: // signed in meanwhile, in another tab
		h.proceed(w, r, req, session)
	}
}

// authenticate finds the person and checks the password. An empty login means the person of the session. The answer for a wrong password and for an
// unknown or disabled user is the same, in words and in time.
func (h *Handler) authenticate(r *http.Request, req *authRequest, session *storage.Session, login, secret string, now time.Time) (storage.User, templates.Problem, error) {
	ctx := r.Context()
	var user storage.User
	var err error
	if login == "" && session != nil {
		user, err = h.Store.User(ctx, session.Subject)
	} else {
		user, err = h.Store.UserByLogin(ctx, login)
	}
	account := user.Subject
	switch {
	case errors.Is(err, storage.ErrNotFound):
		account = "login " + strings.ToLower(login)
		user = storage.User{}
	case err != nil:
		return user, templates.Problem{}, err
	}
	address, knownDevice := h.Site.ClientAddress(r), user.Subject != "" && h.Site.KnowsDevice(r, user.Subject)
	err = h.Limiter.Allow(ctx, now, account, address, knownDevice)
	if limitErr := (*password.TooManyAttemptsError)(nil); errors.As(err, &limitErr) {
		return user, templates.Problem{Fault: templates.TooManyAttempts, RetryAfter: limitErr.Wait}, nil
	}
	if err != nil {
		return user, templates.Problem{}, err
	}
	hash := user.Password
	if user.Disabled {
		hash = ""
	}
	ok, rehash, err := h.Hasher.Verify(ctx, hash, secret)
	switch {
	case errors.Is(err, password.ErrBusy):
		return user, templates.Problem{Fault: templates.Busy}, nil
	case errors.Is(err, password.ErrTooLong), err == nil && !ok:
		h.Site.Logger().InfoContext(ctx, "sign-in refused", "sub", user.Subject, "address", address)
		return user, templates.Problem{Fault: templates.WrongCredentials}, nil
	case err != nil:
		return user, templates.Problem{}, err
	}
	if err := h.Limiter.RecordSuccess(ctx, account, address, knownDevice); err != nil {
		return user, templates.Problem{}, err
	}
	if rehash {
		h.rehash(ctx, &user, secret)
	}
	if req.clientRecord != nil && req.HintSubject != "" && req.HintSubject != h.Minter.SubjectFor(user.Subject, req.clientRecord) {
		return user, templates.Problem{Fault: templates.OtherUser}, nil
	}
	return user, templates.Problem{}, nil
}

// rehash stores the password at today's cost. It is tried again at the next sign-in if it does not work now.
func (h *Handler) rehash(ctx context.Context, user *storage.User, secret string) {
	hash, err := h.Hasher.Hash(ctx, secret)
	if err == nil {
		updated := *user
		updated.Password = hash
		if err = h.Store.PutUser(ctx, updated); err == nil {
			user.Password = hash
		}
	}
	if err != nil {
		h.Site.Logger().WarnContext(ctx, "password hash not renewed", "sub", user.Subject, "err", err)
	}
}
