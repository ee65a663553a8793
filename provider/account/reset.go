package account

import (
	"errors"
	"net/http"

	"github.com/curfew-id/curfew/provider/password"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

const purposeReset = "reset"

// ShowReset is GET /reset/{link}: a one-time link that an administrator made. Looking at the page uses nothing up.
func (h *Handler) ShowReset(w http.ResponseWriter, r *http.Request) {
	if user, ok := h.linkUser(w, r); ok {
		h.renderReset(w, r, user, templates.Problem{})
	}
}

// linkUser finds whose password the link sets.
func (h *Handler) linkUser(w http.ResponseWriter, r *http.Request) (storage.User, bool) {
	link, err := h.Store.OneTimeLink(r.Context(), storage.HashOf(r.PathValue("link")), h.Site.Now())
	if err == nil && link.Purpose == "reset" {
		user, err := h.Store.User(r.Context(), link.Subject)
		if err == nil && !user.Disabled {
			return user, true
		}
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			h.Site.RenderError(w, r, web.PageErrorFrom(err))
			return user, false
		}
	} else if err != nil && !errors.Is(err, storage.ErrNotFound) {
		h.Site.RenderError(w, r, web.PageErrorFrom(err))
		return storage.User{}, false
	}
	h.Site.RenderError(w, r, web.PageError{Status: http.StatusGone})
	return storage.User{}, false
}

func (h *Handler) renderReset(w http.ResponseWriter, r *http.Request, user storage.User, problem templates.Problem) {
	interactionID, err := h.Site.SealInteraction(w, r, purposeReset, user.Subject, formLifetime)
	if err != nil {
		h.Site.RenderError(w, r, web.PageErrorFrom(err))
		return
	}
	page := templates.ResetPasswordPage{Page: h.Site.Page(r), Action: h.Site.Path(r.URL.EscapedPath()), Interaction: interactionID, Login: user.Name, MinPassword: password.MinCharacters, Problem: problem}
	web.PageHeaders(w, web.PagePolicy{FormsToSelf: true})
	if problem.Fault != "" {
		w.WriteHeader(http.StatusUnprocessableEntity)
	}
	h.Site.LogRenderError(r, templates.ResetPassword(w, page))
}

// Reset is POST /reset/{link}: the link is used, the password set and every session ended in one transaction.
func (h *Handler) Reset(w http.ResponseWriter, r *http.Request) {
	user, ok := h.linkUser(w, r)
	if !ok {
		return
	}
	form, err := web.Params(r)
	if err != nil {
		h.Site.RenderError(w, r, web.PageErrorFrom(err))
		return
	}
	var subject string
	if _, err := h.Site.OpenInteraction(r, purposeReset, form.Get("interaction"), &subject); err != nil || subject != user.Subject {
		pageErr := web.PageErrorFrom(web.ErrInteraction)
		pageErr.Advice, pageErr.LinkURL, pageErr.LinkText = "Nothing was changed.", h.Site.Path(r.URL.EscapedPath()), "Open it again"
		h.Site.RenderError(w, r, pageErr)
		return
	}
	newPassword := form.Get("new-password")
	if newPassword != form.Get("repeat-password") {
		h.renderReset(w, r, user, templates.Problem{Fault: templates.PasswordsDiffer})
		return
	}
	if problem := h.checkNewPassword(newPassword, user); problem.Fault != "" {
		h.renderReset(w, r, user, problem)
		return
	}
	hash, err := h.Hasher.Hash(r.Context(), newPassword)
	if err != nil {
		h.Site.RenderError(w, r, hashError(err))
		return
	}
	session, signedIn, err := h.Site.Session(r)
	if err != nil {
		h.Site.RenderError(w, r, web.PageErrorFrom(err))
		return
	}
	now := h.Site.Now()
	user.Password, user.Updated = hash, now
	cause := storage.Cause{Reason: storage.ReasonPasswordReset, By: "user:" + user.Subject, Address: h.Site.ClientAddress(r)}
	change := storage.Change{User: &user, UseLink: storage.HashOf(r.PathValue("link")),
		Events: []storage.Event{{At: now, Kind: "user.password", By: cause.By, Subject: user.Subject, Address: cause.Address}}}
	outcome, err := h.Terminator.End(r.Context(), storage.EndRequest{Selector: storage.Selector{Subject: user.Subject}, Cause: cause, Change: change})
	if err != nil {
		h.Site.RenderError(w, r, web.PageErrorFrom(err))
		return
	}
	endedSessions := 0
	for _, termination := range outcome.Terminations {
		if termination.WholeSession {
			endedSessions++
		}
		if signedIn && termination.Session.ID == session.ID {
			h.Site.ClearSessionCookie(w) // only then: whoever else is signed in here stays so
		}
	}
	web.PageHeaders(w, web.PagePolicy{FormsToSelf: true})
	h.Site.LogRenderError(r, templates.PasswordChanged(w, templates.PasswordChangedPage{Page: h.Site.Page(r), Ended: endedSessions, More: outcome.More, SignInURL: h.Site.Path("/account")}))
}
