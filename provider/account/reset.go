package account

import (
	"errors"
	"net/http"

	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

const purposeReset = "reset"

// ShowReset handles GET /reset/{link}, a one-time link that an administrator made or that was mailed. Only POST uses
// the link up: mail scanners open links.
func (h *Handler) ShowReset(w http.ResponseWriter, r *http.Request) error {
	user, err := h.linkUser(r)
	if err != nil {
		return err
	}
	return h.renderReset(w, r, user, templates.Problem{})
}

// linkUser returns the user whose password the link sets. A mailed link is valid only while the address to which it was
// sent is the user's.
func (h *Handler) linkUser(r *http.Request) (storage.User, error) {
	errLinkInvalid := web.PageError{
		Status: http.StatusGone,
		Reason: "the password reset link is unknown, used or expired",
	}
	link, err := h.Store.OneTimeLink(r.Context(), storage.HashOf(r.PathValue("link")), h.Site.Now())
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return storage.User{}, errLinkInvalid
	case err != nil:
		return storage.User{}, err
	case link.Purpose != storage.LinkReset && link.Purpose != storage.LinkMailedReset:
		return storage.User{}, errLinkInvalid
	}
	user, err := h.Store.User(r.Context(), link.Subject)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return storage.User{}, errLinkInvalid
	case err != nil:
		return storage.User{}, err
	case user.Disabled:
		return storage.User{}, errLinkInvalid
	case link.Purpose == storage.LinkReset:
		return user, nil
	}
	factors, err := h.Store.Factors(r.Context(), user.Subject)
	if err != nil {
		return storage.User{}, err
	}
	if user.Email != link.Address || !user.EmailVerified || !mayResetByMail(user, factors, h.Authn) {
		return storage.User{}, web.PageError{
			Status: http.StatusGone,
			Reason: "the user's e-mail address or factors have changed since the password reset link was mailed",
		}
	}
	return user, nil
}

func (h *Handler) renderReset(
	w http.ResponseWriter,
	r *http.Request,
	user storage.User,
	problem templates.Problem,
) error {
	interactionID, err := h.Site.SealInteraction(w, r, purposeReset, user.Subject, formLifetime)
	if err != nil {
		return err
	}
	offlineAccess, err := h.offlineAccess(r.Context(), user.Subject)
	if err != nil {
		return err
	}
	factors, err := h.Store.Factors(r.Context(), user.Subject)
	if err != nil {
		return err
	}
	page := templates.ResetPasswordPage{
		Page:        h.Site.Page(r),
		Action:      h.Site.Path(r.URL.EscapedPath()),
		Interaction: interactionID,
		Login:       user.Name,
		MinPassword: h.Rules.MinLengthFor(factors.HasSecondFactor()),
		Invitation:  user.Password == "",
		Background:  templates.BackgroundApps(offlineAccess),
		HasFactors:  factors.HasSecondFactor(),
		Problem:     problem,
	}
	web.PageHeaders(w, web.PagePolicy{FormsToSelf: true})
	if problem.Fault != "" {
		w.WriteHeader(http.StatusUnprocessableEntity)
	}
	h.Site.LogRenderError(r, templates.ResetPassword(w, page))
	return nil
}

// Reset handles POST /reset/{link}. One transaction uses the link up, sets the password and ends all sessions of the
// user. It ends background access too, unless the user keeps it.
func (h *Handler) Reset(w http.ResponseWriter, r *http.Request) error {
	user, err := h.linkUser(r)
	if err != nil {
		return err
	}
	form, err := web.Params(r)
	if err != nil {
		return err
	}
	var formSubject string // of the user for whom the form was shown
	_, err = h.Site.OpenInteraction(r, purposeReset, form.Get("interaction"), &formSubject)
	if err != nil || formSubject != user.Subject {
		return web.PageError{
			Text:    templates.ErrorAccountPageExpired,
			LinkURL: h.Site.Path(r.URL.EscapedPath()),
			Link:    templates.LinkOpenAgain,
		}
	}
	newPassword := form.Get("new-password")
	if newPassword != form.Get("repeat-password") {
		return h.renderReset(w, r, user, templates.Problem{Fault: templates.PasswordsDiffer})
	}
	weakness, err := h.checkNewPassword(r.Context(), newPassword, user)
	if err != nil {
		return err
	}
	if weakness.Fault != "" {
		return h.renderReset(w, r, user, weakness)
	}
	hash, err := h.Hasher.Hash(r.Context(), newPassword)
	if err != nil {
		return err
	}
	session, signedIn, err := h.Site.Session(r)
	if err != nil {
		return err
	}
	keepOffline := form.Get(fieldKeepBackground) != ""
	request, err := h.resetRequest(r, user, hash, keepOffline)
	if err != nil {
		return err
	}
	result, err := h.Terminator.End(r.Context(), request)
	if err != nil {
		return err
	}
	h.unlock(r, user.Subject)
	endedSessions := 0
	for _, termination := range result.Terminations {
		if termination.WholeSession {
			endedSessions++
		}
		// This browser may have a session of another user. That session does not end.
		if signedIn && termination.Session.ID == session.ID {
			h.Site.ClearSessionCookie(w, r)
		}
	}
	page := templates.PasswordChangedPage{
		Page:      h.Site.Page(r),
		Ended:     endedSessions,
		More:      result.More,
		SignInURL: h.Site.Path("/account"),
	}
	web.PageHeaders(w, web.PagePolicy{FormsToSelf: true})
	h.Site.LogRenderError(r, templates.PasswordChanged(w, page))
	return nil
}

// resetRequest returns the request that sets the user's password hash, uses the link up and ends the user's sessions.
func (h *Handler) resetRequest(
	r *http.Request,
	user storage.User,
	passwordHash string,
	keepOffline bool,
) (storage.EndRequest, error) {
	now := h.Site.Now()
	before := user
	user.Password = passwordHash
	user.Updated = now
	user.Language = h.Site.Page(r).Lang
	cause := storage.Cause{
		Reason:  storage.ReasonPasswordReset,
		By:      "user:" + user.Subject,
		Address: h.Site.ClientAddress(r),
	}
	event := storage.Event{
		At:      now,
		Kind:    "user.password",
		By:      cause.By,
		Subject: user.Subject,
		Address: cause.Address,
	}
	if err := h.notify(r, &event, before, templates.MailPassword, ""); err != nil {
		return storage.EndRequest{}, err
	}
	request := storage.EndRequest{
		Selector: storage.Selector{Subject: user.Subject},
		Cause:    cause,
		Change: storage.Change{
			User:    &user,
			UseLink: storage.HashOf(r.PathValue("link")),
			Events:  []storage.Event{event},
		},
	}
	request.SecureUser(user.Subject, keepOffline) // also removes remembered browsers and unused links
	return request, nil
}

// unlock resets the counters of sign-in attempts at the account, because they counted guesses of the old password.
func (h *Handler) unlock(r *http.Request, subject string) {
	if err := h.Limiter.Unlock(r.Context(), subject, h.Site.Device(r, subject)); err != nil {
		h.Site.Logger().WarnContext(r.Context(), "account still limited after a reset", "sub", subject, "err", err)
	}
}
