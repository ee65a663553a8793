package signin

import (
	"errors"
	"net/http"

	"github.com/curfew-id/curfew/provider/authn"
	"github.com/curfew-id/curfew/provider/mail"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// notifyOfSignIn lets the audit event of a new session carry a message to the user, if the user has not signed in with
// this browser before. A program that signs in again and again without cookies does not fill the mailbox.
func (h *Handler) notifyOfSignIn(r *http.Request, e *storage.Event, a authn.Authentication) error {
	user := a.User
	isKnown := h.Site.Device(r, user.Subject) != ""
	if h.Notices == nil || isKnown || user.Email == "" || !user.EmailVerified {
		return nil
	}
	err := h.NoticeLimiter.Allow(r.Context(), h.Site.Now(), "sign-in notice\x00"+user.Subject, authn.Origin{})
	if tooMany, ok := errors.AsType[*authn.TooManyAttemptsError](err); ok {
		h.Site.Logger().InfoContext(r.Context(), "notice of a sign-in left out",
			"sub", user.Subject, "reason", tooMany.Error())
		return nil
	}
	if err != nil {
		return err
	}
	notice := mail.Notice{Kind: templates.MailSignIn, UserAgent: web.UserAgent(r), Since: e.At}
	if a.Upstream.IsZero() && a.AuthTime.Before(e.At) {
		notice.Since = a.AuthTime // a factor may have been set up with this sign-in
	}
	return h.Notices.Attach(e, user, notice)
}

// rememberLanguage stores the language of a user's first sign-in, for mail. Later changes of the account on the
// account pages store theirs. A failure is only logged: the next sign-in tries again.
func (h *Handler) rememberLanguage(r *http.Request, user storage.User) {
	if h.Notices == nil || user.Language != "" {
		return
	}
	user.Language = h.Site.Page(r).Lang
	err := h.Store.PutUser(r.Context(), user)
	if err != nil && !errors.Is(err, storage.ErrChanged) {
		h.Site.Logger().WarnContext(r.Context(), "language of the user not stored", "sub", user.Subject, "err", err)
	}
}
