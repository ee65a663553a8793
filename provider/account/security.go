package account

import (
	"errors"
	"net/http"
	"time"

	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/password"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// Security is GET /account/security.
func (h *Handler) Security(w http.ResponseWriter, r *http.Request) {
	if who, ok := h.enter(w, r); ok {
		h.security(w, r, who, func(*templates.SecurityPage) {})
	}
}

// security writes the page, with what was wrong before.
func (h *Handler) security(w http.ResponseWriter, r *http.Request, who person, set func(*templates.SecurityPage)) {
	shell, err := h.shell(w, r, who)
	if err != nil {
		h.Site.Error(w, r, web.FaultOf(err))
		return
	}
	page := templates.SecurityPage{AccountPage: shell, PasswordAction: h.Site.Path("/account/password"), EmailAction: h.Site.Path("/account/email"),
		Login: who.user.Name, Email: who.user.Email, MinPassword: password.MinCharacters, Ends: []templates.Extent{templates.ExtentOthers, templates.ExtentEverywhere}}
	if h.EndsAll {
		page.Ends = []templates.Extent{templates.ExtentEverywhere, templates.ExtentOthers}
	}
	set(&page)
	web.PageHeaders(w, web.PagePolicy{FormSelf: true})
	if page.PasswordProblem.What != "" || page.EmailProblem.What != "" {
		w.WriteHeader(http.StatusUnprocessableEntity)
	}
	h.Site.Render(r, templates.Security(w, page))
}

// ChangePassword is POST /account/password: the new password and the end of the other sessions are one transaction.
func (h *Handler) ChangePassword(w http.ResponseWriter, r *http.Request) {
	who, form, ok := h.submitted(w, r)
	if !ok {
		return
	}
	refuse := func(p templates.Problem) {
		h.security(w, r, who, func(page *templates.SecurityPage) { page.PasswordProblem = p })
	}
	current, fresh, again := form.Get("current-password"), form.Get("new-password"), form.Get("repeat-password")
	if problem, err := h.prove(r, who, current); err != nil || problem.What != "" {
		if err != nil {
			h.Site.Error(w, r, web.FaultOf(err))
			return
		}
		refuse(problem)
		return
	}
	switch problem := h.judge(fresh, who.user); {
	case fresh != again:
		refuse(templates.Problem{What: templates.PasswordsDiffer})
		return
	case fresh == current:
		refuse(templates.Problem{What: templates.PasswordSame})
		return
	case problem.What != "":
		refuse(problem)
		return
	}
	hash, err := h.Hasher.Hash(r.Context(), fresh)
	if err != nil {
		h.Site.Error(w, r, hashFault(err))
		return
	}
	user := who.user
	user.Password, user.Updated = hash, h.Site.Now()
	h.change(w, r, who, user, form.Get("extent"), storage.ReasonPasswordChange, "user.password", "password")
}

// ChangeEmail is POST /account/email.
func (h *Handler) ChangeEmail(w http.ResponseWriter, r *http.Request) {
	who, form, ok := h.submitted(w, r)
	if !ok {
		return
	}
	email := form.Get("email")
	refuse := func(p templates.Problem) {
		h.security(w, r, who, func(page *templates.SecurityPage) { page.EmailProblem, page.Email = p, email })
	}
	if problem, err := h.prove(r, who, form.Get("current-password")); err != nil || problem.What != "" {
		if err != nil {
			h.Site.Error(w, r, web.FaultOf(err))
			return
		}
		refuse(problem)
		return
	}
	if !storage.IsEmail(email) {
		refuse(templates.Problem{What: templates.EmailInvalid})
		return
	}
	if email == who.user.Email {
		h.done(w, "/account/security", "same-email")
		return
	}
	switch other, err := h.Store.UserByLogin(r.Context(), email); {
	case err == nil && other.Subject != who.user.Subject:
		refuse(templates.Problem{What: templates.EmailTaken})
		return
	case err != nil && !errors.Is(err, storage.ErrNotFound):
		h.Site.Error(w, r, web.FaultOf(err))
		return
	}
	user := who.user
	user.Email, user.EmailVerified, user.Updated = email, false, h.Site.Now()
	h.change(w, r, who, user, form.Get("extent"), storage.ReasonEmailChange, "user.email", "email")
}

// change stores the user and ends sessions in one transaction. Where this session lives on, it gets a new secret.
func (h *Handler) change(w http.ResponseWriter, r *http.Request, who person, user storage.User, extent string, reason storage.Reason, kind, what string) {
	cause := h.cause(r, who, reason)
	now := h.Site.Now()
	event := storage.Event{At: now, Kind: kind, By: cause.By, Subject: user.Subject, Address: cause.Address}
	change := storage.Change{User: &user, Events: []storage.Event{event}}
	all := extent == string(templates.ExtentEverywhere) || extent == "" && h.EndsAll
	if all {
		h.Leave(w, r, &who.session, templates.ExtentEverywhere, storage.Selector{Subject: user.Subject}, cause, change)
		return
	}
	// The new secret first: if the change then fails, nothing has changed and the browser still has its session.
	if !h.renew(w, r, who, now, cause.By) {
		return
	}
	if _, err := h.Ender.End(r.Context(), storage.Selector{Subject: user.Subject, Except: who.session.ID}, cause, change); err != nil {
		h.Site.Error(w, r, web.FaultOf(err))
		return
	}
	h.done(w, "/account/security", what)
}

// renew gives this session a new secret: the person has just shown who they are.
func (h *Handler) renew(w http.ResponseWriter, r *http.Request, who person, now time.Time, by string) bool {
	s, secret := who.session, keys.Random("")
	a := storage.Authentication{Secret: storage.HashOf(secret), AuthTime: now.UTC().Truncate(time.Millisecond), AMR: s.AMR, ACR: s.ACR, Keep: s.Keep, Idle: s.Idle,
		Expires: s.Expires, UserAgent: s.UserAgent, Address: s.Address}
	event := storage.Event{At: now, Kind: "session.reauthenticated", By: by, Subject: s.Subject, Session: storage.SessionHash(s.ID), Address: h.Site.Address(r)}
	if _, err := h.Store.Reauthenticate(r.Context(), s.ID, a, now, event); err != nil {
		h.Site.Error(w, r, web.FaultOf(err))
		return false
	}
	life := time.Duration(0)
	if s.Keep {
		life = s.Expires.Sub(now)
	}
	h.Site.SetSession(w, secret, life)
	return true
}

// prove checks the current password, within the same limits as signing in.
func (h *Handler) prove(r *http.Request, who person, current string) (templates.Problem, error) {
	ctx, address, known := r.Context(), h.Site.Address(r), h.Site.KnowsDevice(r, who.user.Subject)
	err := h.Limiter.Allow(ctx, h.Site.Now(), who.user.Subject, address, known)
	if tooMany := (*password.TooMany)(nil); errors.As(err, &tooMany) {
		return templates.Problem{What: templates.TooManyAttempts, Wait: tooMany.Wait}, nil
	}
	if err != nil {
		return templates.Problem{}, err
	}
	switch ok, _, err := h.Hasher.Verify(ctx, who.user.Password, current); {
	case errors.Is(err, password.ErrBusy):
		return templates.Problem{What: templates.Busy}, nil
	case errors.Is(err, password.ErrTooLong), err == nil && !ok:
		return templates.Problem{What: templates.WrongPassword}, nil
	case err != nil:
		return templates.Problem{}, err
	}
	return templates.Problem{}, h.Limiter.Succeed(ctx, who.user.Subject, address, known)
}

// judge says what is wrong with a new password.
func (h *Handler) judge(fresh string, user storage.User) templates.Problem {
	switch err := h.Rules.Check(fresh, user.Name, user.Email); {
	case errors.Is(err, password.ErrTooShort):
		return templates.Problem{What: templates.PasswordTooShort, Min: password.MinCharacters}
	case errors.Is(err, password.ErrTooLong):
		return templates.Problem{What: templates.PasswordTooLong}
	case err != nil:
		return templates.Problem{What: templates.PasswordCommon}
	}
	return templates.Problem{}
}

// hashFault is the answer when a password could not be hashed now.
func hashFault(err error) web.Fault {
	if errors.Is(err, password.ErrBusy) {
		return web.Fault{Status: http.StatusServiceUnavailable, Wait: 5 * time.Second}
	}
	return web.FaultOf(err)
}
