package account

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/curfew-id/curfew/provider/authn"
	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// reauthenticate checks the current password, because somebody else may use an unattended browser. The limits of
// sign-in attempts apply. If the password is refused, problem is set.
func (h *Handler) reauthenticate(
	r *http.Request,
	v viewer,
	form url.Values,
) (authentication authn.Authentication, problem templates.Problem, err error) {
	authentication, err = h.Authenticator.Authenticate(r.Context(), authn.Attempt{
		Form:    url.Values{authn.FieldPassword: form["current-password"]},
		User:    &v.user,
		At:      h.Site.Now(),
		Address: h.Site.ClientAddress(r),
		Device:  func(subject string) string { return h.Site.Device(r, subject) },
	})
	refusal, refused := errors.AsType[*authn.Refusal](err)
	if !refused {
		return authentication, templates.Problem{}, err
	}
	h.Site.Logger().InfoContext(r.Context(), "re-authentication refused",
		"method", h.Authenticator.Method(),
		"reason", refusal.Reason,
		"sub", refusal.Subject)
	if refusal.Problem.Fault == templates.WrongCredentials {
		refusal.Problem.Fault = templates.WrongPassword // this form asks for the password only
	}
	return authentication, refusal.Problem, nil
}

// renewSession gives the session a new cookie secret and stores the new authentication. Its lifetimes stay.
func (h *Handler) renewSession(
	w http.ResponseWriter,
	r *http.Request,
	session storage.Session,
	a authn.Authentication,
) error {
	secret := keys.Random()
	auth := storage.Authentication{
		SecretHash:  storage.HashOf(secret),
		AuthTime:    a.AuthTime.UTC().Truncate(time.Millisecond),
		AMR:         session.AMR, // a second factor of this session still counts
		ACR:         session.ACR,
		RememberMe:  session.RememberMe,
		IdleTimeout: session.IdleTimeout,
		Expires:     session.Expires,
		UserAgent:   session.UserAgent,
		Address:     session.Address,
	}
	event := storage.Event{
		At:      a.AuthTime,
		Kind:    "session.reauthenticated",
		By:      "user:" + session.Subject,
		Subject: session.Subject,
		Session: storage.SessionHash(session.ID),
		Address: h.Site.ClientAddress(r),
	}
	if _, err := h.Store.Reauthenticate(r.Context(), session.ID, auth, a.AuthTime, event); err != nil {
		return err
	}
	var cookieLifetime time.Duration // 0: until the browser closes
	if session.RememberMe {
		cookieLifetime = session.Expires.Sub(a.AuthTime)
	}
	h.Site.SetSessionCookie(w, r, secret, cookieLifetime)
	return nil
}
