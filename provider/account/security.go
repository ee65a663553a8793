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

// Security handles GET /account/security: the forms for password, e-mail address and background access.
func (h *Handler) Security(w http.ResponseWriter, r *http.Request) error {
	v, ok, err := h.requireViewer(w, r)
	if !ok {
		return err
	}
	addNoProblem := func(*templates.SecurityPage) {}
	return h.renderSecurity(w, r, v, addNoProblem)
}

// renderSecurity writes the page. addProblem adds the problem of a form that was just sent.
func (h *Handler) renderSecurity(
	w http.ResponseWriter,
	r *http.Request,
	v viewer,
	addProblem func(*templates.SecurityPage),
) error {
	accountPage, err := h.accountPage(w, r, v)
	if err != nil {
		return err
	}
	page := templates.SecurityPage{
		AccountPage:      accountPage,
		FactorsURL:       h.Site.Path("/account/factors"),
		PasswordAction:   h.Site.Path("/account/password"),
		BackgroundAction: h.Site.Path("/account/security"),
		Login:            v.user.Name,
		Email:            v.user.Email,
		SessionScopes:    h.sessionScopes(),
	}
	if h.Notices != nil {
		page.EmailAction = h.Site.Path("/account/email")
	}
	if page.Offline, err = h.offlineAccess(r.Context(), v.user.Subject); err != nil {
		return err
	}
	factors, err := h.Store.Factors(r.Context(), v.user.Subject)
	if err != nil {
		return err
	}
	page.HasFactors = factors.HasSecondFactor()
	page.MinPassword = h.Rules.MinLengthFor(page.HasFactors)
	addProblem(&page)
	web.PageHeaders(w, web.PagePolicy{FormsToSelf: true})
	if page.PasswordProblem.Fault != "" || page.EmailProblem.Fault != "" {
		w.WriteHeader(http.StatusUnprocessableEntity)
	}
	h.Site.LogRenderError(r, templates.Security(w, page))
	return nil
}

// sessionScopes returns what a change of the account may end, the default first.
func (h *Handler) sessionScopes() []templates.LogoutScope {
	if h.Policy.PasswordChangeEndsAll() {
		return []templates.LogoutScope{templates.ScopeAll, templates.ScopeOthers}
	}
	return []templates.LogoutScope{templates.ScopeOthers, templates.ScopeAll}
}

// RemoveBackground handles POST /account/security: it ends one app's background access.
func (h *Handler) RemoveBackground(w http.ResponseWriter, r *http.Request) error {
	v, form, ok, err := h.requireForm(w, r)
	if !ok {
		return err
	}
	return h.endOffline(w, r, v, form.Get("end-offline"), "/account/security")
}

// offlineAccess returns the user's background access, as pages show it.
func (h *Handler) offlineAccess(ctx context.Context, subject string) ([]templates.OfflineAccess, error) {
	const allClients, offlineOnly = "", true
	grants, err := h.Store.ListGrants(ctx, subject, allClients, offlineOnly, h.Site.Now())
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

// ChangePassword handles POST /account/password. One transaction stores the new password and ends the other sessions.
func (h *Handler) ChangePassword(w http.ResponseWriter, r *http.Request) error {
	v, form, ok, err := h.requireForm(w, r)
	if !ok {
		return err
	}
	renderProblem := func(p templates.Problem) error {
		return h.renderSecurity(w, r, v, func(page *templates.SecurityPage) { page.PasswordProblem = p })
	}
	currentPassword := form.Get("current-password")
	newPassword := form.Get("new-password")
	repeatPassword := form.Get("repeat-password")
	authentication, problem, err := h.reauthenticate(r, v, form)
	if err != nil {
		return err
	}
	if problem.Fault != "" {
		return renderProblem(problem)
	}
	weakness, err := h.checkNewPassword(r.Context(), newPassword, v.user)
	if err != nil {
		return err
	}
	switch {
	case newPassword != repeatPassword:
		return renderProblem(templates.Problem{Fault: templates.PasswordsDiffer})
	case newPassword == currentPassword:
		return renderProblem(templates.Problem{Fault: templates.PasswordSame})
	case weakness.Fault != "":
		return renderProblem(weakness)
	}
	hash, err := h.Hasher.Hash(r.Context(), newPassword)
	if err != nil {
		return err
	}
	user := authentication.User
	user.Password = hash
	return h.changeUser(w, r, v, user, accountChange{
		form:           form,
		reason:         storage.ReasonPasswordChange,
		event:          "user.password",
		notice:         templates.NoticePassword,
		message:        templates.MailPassword,
		authentication: &authentication,
	})
}

// fieldKeepBackground names the checkbox "keep background access" in the forms that change a password or an e-mail
// address.
const fieldKeepBackground = "keep-background"

// accountChange is a change of the password or the address.
type accountChange struct {
	form    url.Values // scope and fieldKeepBackground say what ends
	reason  storage.Reason
	event   string // the kind of the audit line
	notice  templates.Notice
	message templates.MailKind
	useLink storage.Hash // uses up this link; zero: none

	authentication *authn.Authentication // with which the user confirmed the change; nil: a mailed link did
}

// changeUser stores the user and ends sessions in one transaction. An intruder could also have offline access and
// one-time links, so changeUser ends them too; the form can keep offline access. If this browser's session stays
// active and the user has authenticated, it gets a new cookie secret.
func (h *Handler) changeUser(
	w http.ResponseWriter,
	r *http.Request,
	v viewer,
	user storage.User,
	change accountChange,
) error {
	cause := h.cause(r, v, change.reason)
	now := h.Site.Now()
	user.Updated = now
	user.Language = h.Site.Page(r).Lang
	event := storage.Event{At: now, Kind: change.event, By: cause.By, Subject: user.Subject, Address: cause.Address}
	if err := h.notify(r, &event, v.user, change.message, ""); err != nil {
		return err
	}
	req := storage.EndRequest{
		Selector: storage.Selector{Subject: user.Subject},
		Cause:    cause,
		Change:   storage.Change{User: &user, UseLink: change.useLink, Events: []storage.Event{event}},
	}
	req.SecureUser(user.Subject, change.form.Get(fieldKeepBackground) != "")
	scope := change.form.Get("scope")
	endsAll := scope == string(templates.ScopeAll)
	if scope == "" {
		endsAll = h.Policy.PasswordChangeEndsAll()
	}
	if endsAll {
		return h.endAndRender(w, r, v, storage.ScopeAll, req)
	}
	if change.authentication != nil {
		// The session is renewed before the change: if the change fails, the user is unchanged and still signed in.
		if err := h.renewSession(w, r, v.session, *change.authentication); err != nil {
			return err
		}
	}
	req.Selector.Except = v.session.ID
	if _, err := h.Terminator.End(r.Context(), req); err != nil {
		return err
	}
	h.redirectWithNotice(w, "/account/security", change.notice)
	return nil
}

// checkNewPassword checks a new password against the rules. It returns the zero Problem if they allow it.
func (h *Handler) checkNewPassword(
	ctx context.Context,
	newPassword string,
	user storage.User,
) (templates.Problem, error) {
	factors, err := h.Store.Factors(ctx, user.Subject)
	if err != nil {
		return templates.Problem{}, err
	}
	account := password.Account{Names: []string{user.Name, user.Email}, HasSecondFactor: factors.HasSecondFactor()}
	switch err := h.Rules.Check(newPassword, account); {
	case errors.Is(err, password.ErrTooShort):
		shortest := h.Rules.MinLengthFor(account.HasSecondFactor)
		return templates.Problem{Fault: templates.PasswordTooShort, MinPassword: shortest}, nil
	case errors.Is(err, password.ErrTooLong):
		return templates.Problem{Fault: templates.PasswordTooLong}, nil
	case errors.Is(err, password.ErrBreached):
		return templates.Problem{Fault: templates.PasswordBreached}, nil
	case password.IsWeak(err):
		return templates.Problem{Fault: templates.PasswordCommon}, nil
	default:
		return templates.Problem{}, err
	}
}
