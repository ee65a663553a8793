package account

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/curfew-id/curfew/provider/authn"
	"github.com/curfew-id/curfew/provider/password"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// Security is GET /account/security.
func (h *Handler) Security(w http.ResponseWriter, r *http.Request) error {
	v, ok, err := h.requireViewer(w, r)
	if !ok {
		return err
	}
	return h.renderSecurity(w, r, v, func(*templates.SecurityPage) {})
}

// renderSecurity writes the page, with what was wrong before.
func (h *Handler) renderSecurity(
	w http.ResponseWriter,
	r *http.Request,
	v viewer,
	update func(*templates.SecurityPage),
) error {
	accountPage, err := h.accountPage(w, r, v)
	if err != nil {
		return err
	}
	page := templates.SecurityPage{
		AccountPage:      accountPage,
		PasswordAction:   h.Site.Path("/account/password"),
		EmailAction:      h.Site.Path("/account/email"),
		BackgroundAction: h.Site.Path("/account/security"),
		Login:            v.user.Name,
		Email:            v.user.Email,
		MinPassword:      password.MinCharacters,
		SessionScopes:    []templates.LogoutScope{templates.ScopeOthers, templates.ScopeAll},
	}
	if h.Policy.PasswordChangeEndsAll() {
		page.SessionScopes = []templates.LogoutScope{templates.ScopeAll, templates.ScopeOthers}
	}
	if page.Offline, err = h.offlineAccess(r.Context(), v); err != nil {
		return err
	}
	update(&page)
	web.PageHeaders(w, web.PagePolicy{FormsToSelf: true})
	if page.PasswordProblem.Fault != "" || page.EmailProblem.Fault != "" {
		w.WriteHeader(http.StatusUnprocessableEntity)
	}
	h.Site.LogRenderError(r, templates.Security(w, page))
	return nil
}

// RemoveBackground is POST /account/security: it ends one app's background access.
func (h *Handler) RemoveBackground(w http.ResponseWriter, r *http.Request) error {
	v, form, ok, err := h.requireForm(w, r)
	if !ok {
		return err
	}
	return h.endOffline(w, r, v, form.Get("end-offline"), "/account/security")
}

// offlineAccess returns the user's background access, as pages show it.
func (h *Handler) offlineAccess(ctx context.Context, v viewer) ([]templates.OfflineAccess, error) {
	grants, err := h.Store.ListGrants(ctx, v.user.Subject, "", true, h.Site.Now())
	if err != nil {
		return nil, err
	}
	appName := h.appNames(ctx)
	var list []templates.OfflineAccess
	for _, g := range grants {
		list = append(list, offlineAccess(g, appName))
	}
	return list, nil
}

// ChangePassword is POST /account/password: the new password and the end of the other sessions are one transaction.
func (h *Handler) ChangePassword(w http.ResponseWriter, r *http.Request) error {
	v, form, ok, err := h.requireForm(w, r)
	if !ok {
		return err
	}
	renderProblem := func(p templates.Problem) error {
		return h.renderSecurity(w, r, v, func(page *templates.SecurityPage) { page.PasswordProblem = p })
	}
	currentPassword, newPassword, repeatPassword := form.Get(
		"current-password",
	), form.Get(
		"new-password",
	), form.Get(
		"repeat-password",
	)
	authentication, problem, err := h.reauthenticate(r, v, form)
	if err != nil {
		return err
	}
	if problem.Fault != "" {
		return renderProblem(problem)
	}
	switch problem := h.checkNewPassword(newPassword, v.user); {
	case newPassword != repeatPassword:
		return renderProblem(templates.Problem{Fault: templates.PasswordsDiffer})
	case newPassword == currentPassword:
		return renderProblem(templates.Problem{Fault: templates.PasswordSame})
	case problem.Fault != "":
		return renderProblem(problem)
	}
	hash, err := h.Hasher.Hash(r.Context(), newPassword)
	if err != nil {
		return err
	}
	user := authentication.User
	user.Password, user.Updated = hash, h.Site.Now()
	return h.changeUser(
		w,
		r,
		v,
		authentication,
		user,
		form,
		storage.ReasonPasswordChange,
		"user.password",
		templates.NoticePassword,
	)
}

// ChangeEmail is POST /account/email.
func (h *Handler) ChangeEmail(w http.ResponseWriter, r *http.Request) error {
	v, form, ok, err := h.requireForm(w, r)
	if !ok {
		return err
	}
	email := form.Get("email")
	renderProblem := func(p templates.Problem) error {
		return h.renderSecurity(
			w,
			r,
			v,
			func(page *templates.SecurityPage) { page.EmailProblem, page.Email = p, email },
		)
	}
	authentication, problem, err := h.reauthenticate(r, v, form)
	if err != nil {
		return err
	}
	if problem.Fault != "" {
		return renderProblem(problem)
	}
	if !storage.IsEmail(email) {
		return renderProblem(templates.Problem{Fault: templates.EmailInvalid})
	}
	if email == v.user.Email {
		h.redirectWithNotice(w, "/account/security", templates.NoticeSameEmail)
		return nil
	}
	// Whether another user has the address is not said: nobody has verified that it is this user's, so it neither
	// signs in nor blocks.
	user := authentication.User
	user.Email, user.EmailVerified, user.Updated = email, false, h.Site.Now()
	return h.changeUser(
		w,
		r,
		v,
		authentication,
		user,
		form,
		storage.ReasonEmailChange,
		"user.email",
		templates.NoticeEmail,
	)
}

// fieldKeepBackground is a ticked box of the forms that change a password or an e-mail address: background access
// stays.
const fieldKeepBackground = "keep-background"

// changeUser stores the user and ends sessions in one transaction, and with them what another user could hold. If
// this session stays active, it gets a new secret.
func (h *Handler) changeUser(
	w http.ResponseWriter,
	r *http.Request,
	v viewer,
	authentication authn.Authentication,
	user storage.User,
	form url.Values,
	reason storage.Reason,
	eventKind string,
	notice templates.Notice,
) error {
	cause := h.cause(r, v, reason)
	now := h.Site.Now()
	event := storage.Event{At: now, Kind: eventKind, By: cause.By, Subject: user.Subject, Address: cause.Address}
	req := storage.EndRequest{
		Selector: storage.Selector{Subject: user.Subject},
		Cause:    cause,
		Change:   storage.Change{User: &user, Events: []storage.Event{event}},
	}
	req.SecureUser(user.Subject, form.Get(fieldKeepBackground) != "")
	scope := form.Get("scope")
	if scope == string(templates.ScopeAll) || scope == "" && h.Policy.PasswordChangeEndsAll() {
		return h.endAndRender(w, r, v, storage.ScopeAll, req)
	}
	// The new secret comes first: if the change then fails, nothing has changed and the browser still has its session.
	if err := h.renewSession(w, r, v.session, authentication); err != nil {
		return err
	}
	req.Selector.Except = v.session.ID
	if _, err := h.Terminator.End(r.Context(), req); err != nil {
		return err
	}
	h.redirectWithNotice(w, "/account/security", notice)
	return nil
}

// checkNewPassword says what is wrong with a new password.
func (h *Handler) checkNewPassword(newPassword string, user storage.User) templates.Problem {
	switch err := h.Rules.Check(newPassword, user.Name, user.Email); {
	case errors.Is(err, password.ErrTooShort):
		return templates.Problem{Fault: templates.PasswordTooShort, MinPassword: password.MinCharacters}
	case errors.Is(err, password.ErrTooLong):
		return templates.Problem{Fault: templates.PasswordTooLong}
	case err != nil:
		return templates.Problem{Fault: templates.PasswordCommon}
	}
	return templates.Problem{}
}
