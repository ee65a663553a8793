package account

import (
	"errors"
	"net/http"

	"github.com/curfew-id/curfew/provider/authn"
	"github.com/curfew-id/curfew/provider/password"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

const purposeReset = "reset"

// ShowReset is GET /reset/{link}: a one-time link that an administrator made. Looking at the page uses nothing up.
func (h *Handler) ShowReset(w http.ResponseWriter, r *http.Request) error {
	user, err := h.linkUser(r)
	if err != nil {
		return err
	}
	return h.renderReset(w, r, user, templates.Problem{})
}

// linkUser finds whose password the link sets.
func (h *Handler) linkUser(r *http.Request) (storage.User, error) {
	link, err := h.Store.OneTimeLink(r.Context(), storage.HashOf(r.PathValue("link")), h.Site.Now())
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return storage.User{}, err
	}
	gone := web.PageError{Status: http.StatusGone, Reason: "the password reset link is unknown, used or expired"}
	if err != nil || link.Purpose != "reset" {
		return storage.User{}, gone
	}
	user, err := h.Store.User(r.Context(), link.Subject)
	if errors.Is(err, storage.ErrNotFound) || err == nil && user.Disabled {
		return storage.User{}, gone
	}
	return user, err
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
	page := templates.ResetPasswordPage{
		Page:        h.Site.Page(r),
		Action:      h.Site.Path(r.URL.EscapedPath()),
		Interaction: interactionID,
		Login:       user.Name,
		MinPassword: password.MinCharacters,
		Invitation:  user.Password == "",
		Problem:     problem,
	}
	web.PageHeaders(w, web.PagePolicy{FormsToSelf: true})
	if problem.Fault != "" {
		w.WriteHeader(http.StatusUnprocessableEntity)
	}
	h.Site.LogRenderError(r, templates.ResetPassword(w, page))
	return nil
}

// Reset is POST /reset/{link}: in one transaction the link is used, the password set, and every session and, unless
// the user keeps it, background access ended.
func (h *Handler) Reset(w http.ResponseWriter, r *http.Request) error {
	user, err := h.linkUser(r)
	if err != nil {
		return err
	}
	form, err := web.Params(r)
	if err != nil {
		return err
	}
	var subject string
	if _, err := h.Site.OpenInteraction(r, purposeReset, form.Get("interaction"), &subject); err != nil ||
		subject != user.Subject {
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
	if problem := h.checkNewPassword(newPassword, user); problem.Fault != "" {
		return h.renderReset(w, r, user, problem)
	}
	hash, err := h.Hasher.Hash(r.Context(), newPassword)
	if err != nil {
		return err
	}
	session, signedIn, err := h.Site.Session(r)
	if err != nil {
		return err
	}
	now := h.Site.Now()
	user.Password, user.Updated = hash, now
	cause := storage.Cause{
		Reason:  storage.ReasonPasswordReset,
		By:      "user:" + user.Subject,
		Address: h.Site.ClientAddress(r),
	}
	change := storage.Change{User: &user, UseLink: storage.HashOf(r.PathValue("link")),
		Events: []storage.Event{
			{At: now, Kind: "user.password", By: cause.By, Subject: user.Subject, Address: cause.Address},
		}}
	req := storage.EndRequest{Selector: storage.Selector{Subject: user.Subject}, Cause: cause, Change: change}
	req.SecureUser(user.Subject, form.Get(fieldKeepBackground) != "")
	outcome, err := h.Terminator.End(r.Context(), req)
	if err != nil {
		return err
	}
	h.unlock(r, user.Subject)
	endedSessions := 0
	for _, termination := range outcome.Terminations {
		if termination.WholeSession {
			endedSessions++
		}
		if signedIn && termination.Session.ID == session.ID {
			h.Site.ClearSessionCookie(w, r) // only then: another user who is signed in here stays signed in
		}
	}
	web.PageHeaders(w, web.PagePolicy{FormsToSelf: true})
	h.Site.LogRenderError(
		r,
		templates.PasswordChanged(
			w,
			templates.PasswordChangedPage{
				Page:      h.Site.Page(r),
				Ended:     endedSessions,
				More:      outcome.More,
				SignInURL: h.Site.Path("/account"),
			},
		),
	)
	return nil
}

// unlock ends the limit that wrong guesses have put on the account: the password is new.
func (h *Handler) unlock(r *http.Request, subject string) {
	origin := authn.Origin{Address: h.Site.ClientAddress(r), Device: h.Site.Device(r, subject)}
	if err := h.Limiter.Unlock(r.Context(), subject, origin); err != nil {
		h.Site.Logger().WarnContext(r.Context(), "account still limited after a reset", "sub", subject, "err", err)
	}
}
