package account

import (
	"errors"
	"net/http"
	"time"

	"github.com/curfew-id/curfew/provider/authn"
	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// PathConfirmEmail is the page of the link that confirms a new address.
const PathConfirmEmail = "/email/{link}"

// emailLinkLifetime is how long a link that confirms a new address works.
const emailLinkLifetime = 24 * time.Hour

// RequestEmail handles POST /account/email. It mails a link to the new address; only that link changes the address. The
// answer is the same if another user has the address.
func (h *Handler) RequestEmail(w http.ResponseWriter, r *http.Request) error {
	if h.Notices == nil {
		return web.PageError{Status: http.StatusNotFound, Reason: "without mail only an operator changes addresses"}
	}
	v, form, ok, err := h.requireForm(w, r)
	if !ok {
		return err
	}
	email := form.Get("email")
	renderProblem := func(p templates.Problem) error {
		return h.renderSecurity(w, r, v, func(page *templates.SecurityPage) {
			page.EmailProblem = p
			page.Email = email
		})
	}
	_, problem, err := h.reauthenticate(r, v, form)
	if err != nil {
		return err
	}
	if problem.Fault != "" {
		return renderProblem(problem)
	}
	now := h.Site.Now()
	switch {
	case !storage.IsEmail(email):
		return renderProblem(templates.Problem{Fault: templates.EmailInvalid})
	case email == v.user.Email:
		h.redirectWithNotice(w, "/account/security", templates.NoticeSameEmail)
		return nil
	case now.Before(v.user.EmailFixedUntil):
		return renderProblem(templates.Problem{Fault: templates.EmailFixed})
	}
	for _, counter := range []string{v.user.Subject, storage.EmailKey(email)} {
		err := h.Limiter.Allow(r.Context(), now, "address mail\x00"+counter, authn.Origin{})
		if tooMany, ok := errors.AsType[*authn.TooManyAttemptsError](err); ok {
			return renderProblem(templates.Problem{Fault: templates.TooManyAttempts, RetryAfter: tooMany.Wait})
		}
		if err != nil {
			return err
		}
	}
	if err := h.mailEmailLink(r, v.user, email); err != nil {
		return err
	}
	h.redirectWithNotice(w, "/account/security", templates.NoticeEmailSent)
	return nil
}

// mailEmailLink queues the mail to the new address.
func (h *Handler) mailEmailLink(r *http.Request, user storage.User, email string) error {
	now := h.Site.Now()
	secret := keys.Random()
	link := storage.OneTimeLink{
		Hash:    storage.HashOf(secret),
		Purpose: storage.LinkEmail,
		Subject: user.Subject,
		Address: email,
		Created: now,
		Expires: now.Add(emailLinkLifetime),
	}
	message, err := h.Notices.Write(user, templates.MailConfirmEmail, link, "/email/"+secret)
	if err != nil {
		return err
	}
	event := storage.Event{
		At:      now,
		Kind:    "user.email_requested",
		By:      "user:" + user.Subject,
		Subject: user.Subject,
		Address: h.Site.ClientAddress(r),
	}
	if err := h.Store.PutOneTimeLink(r.Context(), link, event, message); err != nil {
		return err
	}
	h.Notices.Outbox.Wake()
	return nil
}

// ShowConfirmEmail handles GET /email/{link}. The user must be signed in: if the address has a typing error, its owner
// must not get the account.
func (h *Handler) ShowConfirmEmail(w http.ResponseWriter, r *http.Request) error {
	v, ok, err := h.requireViewer(w, r)
	if !ok {
		return err
	}
	link, err := h.emailLink(r, v.user)
	if err != nil {
		return err
	}
	accountPage, err := h.accountPage(w, r, v)
	if err != nil {
		return err
	}
	offline, err := h.offlineAccess(r.Context(), v.user.Subject)
	if err != nil {
		return err
	}
	factors, err := h.Store.Factors(r.Context(), v.user.Subject)
	if err != nil {
		return err
	}
	page := templates.ConfirmEmailPage{
		AccountPage:   accountPage,
		Action:        h.Site.Path(r.URL.EscapedPath()),
		Login:         v.user.Name,
		Email:         link.Address,
		SessionScopes: h.sessionScopes(),
		Offline:       offline,
		HasFactors:    factors.HasSecondFactor(),
	}
	web.PageHeaders(w, web.PagePolicy{FormsToSelf: true})
	h.Site.LogRenderError(r, templates.ConfirmEmail(w, page))
	return nil
}

// emailLink finds the link of a request. It is refused while the address is fixed, and for another user.
func (h *Handler) emailLink(r *http.Request, user storage.User) (storage.OneTimeLink, error) {
	now := h.Site.Now()
	link, err := h.Store.OneTimeLink(r.Context(), storage.HashOf(r.PathValue("link")), now)
	reason := ""
	switch {
	case errors.Is(err, storage.ErrNotFound) || (err == nil && link.Purpose != storage.LinkEmail):
		reason = "the link that confirms an address is unknown, used or expired"
	case err != nil:
		return link, err
	case link.Subject != user.Subject:
		reason = "the link that confirms an address was mailed for another user"
	case now.Before(user.EmailFixedUntil):
		reason = "the user's address cannot change yet"
	default:
		return link, nil
	}
	return link, web.PageError{Status: http.StatusGone, Reason: reason}
}

// ConfirmEmail handles POST /email/{link}. One transaction uses the link up, changes the address and ends sessions. The
// former address gets a message with a link that brings it back.
func (h *Handler) ConfirmEmail(w http.ResponseWriter, r *http.Request) error {
	v, form, ok, err := h.requireForm(w, r)
	if !ok {
		return err
	}
	link, err := h.emailLink(r, v.user)
	if err != nil {
		return err
	}
	user := v.user
	user.ChangeEmail(link.Address, h.Site.Now())
	err = h.changeUser(w, r, v, user, accountChange{
		form:    form,
		reason:  storage.ReasonEmailChange,
		event:   "user.email",
		notice:  templates.NoticeEmail,
		message: templates.MailEmail,
		useLink: link.Hash,
	})
	if errors.Is(err, storage.ErrExists) || errors.Is(err, storage.ErrAlreadyUsed) {
		return web.PageError{Status: http.StatusGone, Reason: "the link was used, or another user has the address", Err: err}
	}
	return err
}
