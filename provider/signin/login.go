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
	Succeed(ctx context.Context, account, address string, knownDevice bool) error
}

// ShowLogin is GET /login/{handle}: the page that the request needs now.
func (h *Handler) ShowLogin(w http.ResponseWriter, r *http.Request) {
	p, session, ok := h.entering(w, r)
	if !ok {
		return
	}
	switch step, err := h.next(r, p, session); {
	case err != nil:
		h.answer(w, r, nil, err)
	case step == stepFinish, step == stepConsent: // signed in meanwhile, in another tab
		h.proceed(w, r, p, session)
	default:
		h.showLogin(w, r, p, session, step, templates.Problem{}, "")
	}
}

// entering opens the handle and, if somebody is signed in, the session.
func (h *Handler) entering(w http.ResponseWriter, r *http.Request) (*parsed, *storage.Session, bool) {
	p, err := h.reopen(r, purposeLogin)
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
		return p, nil, true
	}
	return p, &session, true
}

// showLogin writes the page of the step at which the request stands.
func (h *Handler) showLogin(w http.ResponseWriter, r *http.Request, p *parsed, session *storage.Session, step step, problem templates.Problem, typed string) {
	var app *templates.Application
	if p.client != nil {
		app = h.Site.Application(p.client, p.RedirectURI)
	}
	var user storage.User
	if step == stepConfirm || step == stepChoose {
		var err error
		if user, err = h.Store.User(r.Context(), session.Subject); err != nil {
			h.answer(w, r, nil, err)
			return
		}
	}
	other, err := h.otherAccount(w, r, p)
	if err != nil {
		h.answer(w, r, nil, err)
		return
	}
	action, handle, common := h.Site.Path(r.URL.EscapedPath()), r.PathValue("handle"), h.Site.Page(r)
	web.PageHeaders(w, policy(app))
	if problem.Wait > 0 {
		w.Header().Set("Retry-After", web.RetryAfter(problem.Wait))
	}
	if problem.What != "" {
		w.WriteHeader(statusOf(problem.What))
	}
	switch step {
	case stepAgain:
		h.Site.Render(r, templates.SignInAgain(w, templates.SignInAgainPage{Page: common, Action: action, Handle: handle, Application: *app, StayURL: h.Site.Path("/account")}))
	case stepChoose:
		common.Account = accountName(user)
		name, _ := user.Claims["name"].(string)
		h.Site.Render(r, templates.ChooseAccount(w, templates.ChooseAccountPage{Page: common, Action: action, Handle: handle, Application: app, Name: name, OtherAccountURL: other}))
	default:
		page := templates.SignInPage{Page: common, Action: action, Handle: handle, Application: app, Login: typed, OfferKeep: true, Problem: problem}
		if typed == "" && !p.Other {
			page.Login = p.LoginHint
		}
		if step == stepConfirm {
			page.Fixed, page.Login, page.OtherAccountURL, page.Keep = true, user.Name, other, session.Keep
			page.Page.Account = accountName(user)
		}
		if p.client != nil {
			page.CancelURL = action + "/cancel"
		}
		h.Site.Render(r, templates.SignIn(w, page))
	}
}

// statusOf is the HTTP status of a sign-in page that says what was wrong.
func statusOf(what templates.Fault) int {
	switch what {
	case templates.TooManyAttempts:
		return http.StatusTooManyRequests
	case templates.Busy:
		return http.StatusServiceUnavailable
	}
	return http.StatusOK
}

// otherAccount is where the person signs in as somebody else.
func (h *Handler) otherAccount(w http.ResponseWriter, r *http.Request, p *parsed) (string, error) {
	q := p.request
	q.Other = true
	handle, err := h.Site.Handle(w, r, purposeLogin, q, h.Lifetimes.Interaction)
	return h.Site.Path("/login/" + handle), err
}

// Cancel is GET /login/{handle}/cancel: back to the application without signing in.
func (h *Handler) Cancel(w http.ResponseWriter, r *http.Request) {
	p, err := h.reopen(r, purposeLogin)
	if err != nil {
		h.answer(w, r, nil, err)
		return
	}
	if p.client == nil {
		h.Site.Error(w, r, web.Fault{Status: http.StatusNotFound})
		return
	}
	h.answer(w, r, p, refuse("access_denied", "the person chose not to sign in"))
}

// Login is POST /login/{handle}.
func (h *Handler) Login(w http.ResponseWriter, r *http.Request) {
	p, session, ok := h.entering(w, r)
	if !ok {
		return
	}
	form, err := web.Params(r)
	if err != nil {
		h.answer(w, r, nil, err)
		return
	}
	step, err := h.next(r, p, session)
	if err != nil {
		h.answer(w, r, nil, err)
		return
	}
	switch step {
	case stepChoose:
		p.Chosen = true
		h.proceed(w, r, p, session)
	case stepAgain:
		p.Again = true
		h.Site.ForgetLeft(w, r, p.Client)
		h.proceed(w, r, p, session)
	case stepSignIn, stepConfirm:
		login := strings.TrimSpace(form.Get("username"))
		if step == stepConfirm {
			login = "" // the account is the session's, whatever the form says
		}
		at := h.Site.Now() // before anything is read: what ends from now on ends this sign-in too
		user, problem, err := h.check(r, p, session, login, form.Get("password"), at)
		if err != nil {
			h.answer(w, r, nil, err)
			return
		}
		if problem.What != "" {
			h.showLogin(w, r, p, session, step, problem, login)
			return
		}
		begun, err := h.begin(w, r, session, user, form.Get("keep") != "", at)
		if errors.Is(err, storage.ErrEnded) {
			h.showLogin(w, r, p, nil, stepSignIn, templates.Problem{What: templates.SessionOver}, login)
			return
		}
		if err != nil {
			h.answer(w, r, nil, err)
			return
		}
		p.Other = false
		p.Chosen = true
		h.proceed(w, r, p, &begun)
	default: // signed in meanwhile, in another tab
		h.proceed(w, r, p, session)
	}
}

// check finds the person and checks the password. An empty login means the person of the session. The answer for a wrong password and for an
// unknown or disabled user is the same, in words and in time.
func (h *Handler) check(r *http.Request, p *parsed, session *storage.Session, login, secret string, at time.Time) (storage.User, templates.Problem, error) {
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
	address, known := h.Site.Address(r), user.Subject != "" && h.Site.KnowsDevice(r, user.Subject)
	err = h.Limiter.Allow(ctx, at, account, address, known)
	if tooMany := (*password.TooMany)(nil); errors.As(err, &tooMany) {
		return user, templates.Problem{What: templates.TooManyAttempts, Wait: tooMany.Wait}, nil
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
		return user, templates.Problem{What: templates.Busy}, nil
	case errors.Is(err, password.ErrTooLong), err == nil && !ok:
		h.Site.Logger().InfoContext(ctx, "sign-in refused", "sub", user.Subject, "address", address)
		return user, templates.Problem{What: templates.WrongCredentials}, nil
	case err != nil:
		return user, templates.Problem{}, err
	}
	if err := h.Limiter.Succeed(ctx, account, address, known); err != nil {
		return user, templates.Problem{}, err
	}
	if rehash {
		h.rehash(ctx, &user, secret)
	}
	if p.client != nil && p.HintSubject != "" && p.HintSubject != h.Minter.SubjectFor(user.Subject, p.client) {
		return user, templates.Problem{What: templates.OtherUser}, nil
	}
	return user, templates.Problem{}, nil
}

// rehash stores the password at today's cost. It is tried again at the next sign-in if it does not work now.
func (h *Handler) rehash(ctx context.Context, user *storage.User, secret string) {
	hash, err := h.Hasher.Hash(ctx, secret)
	if err == nil {
		renewed := *user
		renewed.Password = hash
		if err = h.Store.PutUser(ctx, renewed); err == nil {
			user.Password = hash
		}
	}
	if err != nil {
		h.Site.Logger().WarnContext(ctx, "password hash not renewed", "sub", user.Subject, "err", err)
	}
}
