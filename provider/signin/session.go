package signin

import (
	"errors"
	"net/http"
	"time"

	"github.com/curfew-id/curfew/provider/authn"
	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
)

// startSession starts or renews the session of a user who has just authenticated; authenticator is nil if an upstream
// authenticated the user. If previous is a session of the same
// user, it is renewed and its sids stay. If it is another user's, it ends in the transaction that stores the new one,
// and its clients are notified. With stepUp only the previous session is renewed. startSession returns
// storage.ErrRevoked if, since authentication.Sequence, the credential was replaced or all sessions of the user were
// ended.
func (h *Handler) startSession(
	r *http.Request,
	previous *storage.Session,
	authenticator authn.Authenticator,
	authentication authn.Authentication,
	rememberMe, stepUp bool,
) (startedSession, error) {
	auth, cookieLifetime := h.sessionAuthentication(r, authentication, rememberMe)
	secret := keys.Random()
	auth.SecretHash = storage.HashOf(secret)
	session, err := h.storeSession(r, previous, authentication, auth, stepUp)
	if err != nil {
		return startedSession{}, err
	}
	if err := h.recheck(r, session, authenticator, authentication); err != nil {
		return startedSession{}, err
	}
	h.rememberLanguage(r, authentication.User)
	return startedSession{session, secret, cookieLifetime, authentication.RecoveryCodes}, nil
}

// setSession gives the browser the cookie of a session that was started.
func (h *Handler) setSession(w http.ResponseWriter, r *http.Request, started startedSession) {
	h.Site.SetSessionCookie(w, r, started.secret, started.cookieLifetime)
	h.Site.RememberDevice(w, r, started.session.Subject)
	w.Header().Set("Set-Login", "logged-in")
}

// isActive reports whether the session is active and still has the cookie secret with which it was started.
func (h *Handler) isActive(r *http.Request, started startedSession) bool {
	session, err := h.Store.Session(r.Context(), started.session.ID, h.Site.Now())
	return err == nil && session.SecretHash == storage.HashOf(started.secret)
}

// sessionAuthentication returns the values that this sign-in sets on a session, except the cookie secret, and the
// lifetime of the cookie. A lifetime of 0 means until the browser closes.
func (h *Handler) sessionAuthentication(
	r *http.Request,
	a authn.Authentication,
	rememberMe bool,
) (storage.Authentication, time.Duration) {
	idle, absolute := h.Lifetimes.Idle, h.Lifetimes.Absolute
	var cookieLifetime time.Duration
	if rememberMe {
		idle, absolute = h.Lifetimes.RememberIdle, h.Lifetimes.RememberAbsolute
		cookieLifetime = absolute
	}
	authTime := a.AuthTime.UTC().Truncate(time.Millisecond)
	begin := authTime
	if !a.Upstream.IsZero() { // the user may have signed in there long ago
		begin = h.Site.Now().UTC().Truncate(time.Millisecond)
	}
	return storage.Authentication{
		AuthTime:    authTime,
		AMR:         a.AMR,
		ACR:         a.ACR,
		RememberMe:  rememberMe,
		IdleTimeout: idle,
		Expires:     a.Upstream.Limit(begin.Add(absolute)),
		UserAgent:   web.UserAgent(r),
		Address:     h.Site.ClientAddress(r),
		Upstream:    a.Upstream,
		Sequence:    a.Sequence,
	}, cookieLifetime
}

// storeSession renews the previous session if it belongs to the same user. Otherwise it stores a new session and ends
// the previous one. With stepUp a previous session that has ended is storage.ErrRevoked: a second factor alone starts
// no session.
func (h *Handler) storeSession(
	r *http.Request,
	previous *storage.Session,
	a authn.Authentication,
	auth storage.Authentication,
	stepUp bool,
) (storage.Session, error) {
	subject, now := a.User.Subject, h.Site.Now().UTC().Truncate(time.Millisecond)
	event := storage.Event{
		At:      now,
		Kind:    "session.created",
		By:      "user:" + subject,
		Subject: subject,
		Address: auth.Address,
	}
	if previous != nil && previous.Subject == subject {
		renewal := event
		renewal.Kind, renewal.Session = "session.reauthenticated", storage.SessionHash(previous.ID)
		session, err := h.Store.Reauthenticate(r.Context(), previous.ID, auth, now, renewal)
		if stepUp || !errors.Is(err, storage.ErrRevoked) {
			return session, err
		}
		previous = nil // it has ended since it was read
	}
	session := storage.Session{
		ID:          storage.SessionID(keys.Random()),
		Sequence:    a.Sequence,
		SecretHash:  auth.SecretHash,
		Subject:     subject,
		AuthTime:    auth.AuthTime,
		AMR:         auth.AMR,
		ACR:         auth.ACR,
		Created:     now,
		LastActive:  now,
		IdleTimeout: auth.IdleTimeout,
		Expires:     auth.Expires,
		RememberMe:  auth.RememberMe,
		UserAgent:   auth.UserAgent,
		Address:     auth.Address,
		Upstream:    auth.Upstream,
	}
	event.Session = storage.SessionHash(session.ID)
	if err := h.notifyOfSignIn(r, &event, a); err != nil {
		return session, err
	}
	if previous == nil {
		return session, h.Store.CreateSession(r.Context(), session, event)
	}
	cause := storage.Cause{Reason: storage.ReasonOtherUser, By: "user:" + subject, Address: auth.Address}
	change := storage.Change{NewSession: &session, Events: []storage.Event{event}}
	_, err := h.Terminator.End(r.Context(), storage.EndRequest{
		Selector: storage.Selector{Sessions: []storage.SessionID{previous.ID}},
		Cause:    cause,
		Change:   change,
	})
	return session, err
}

// recheck ends the new session if the credential was replaced while it was being checked. Otherwise someone who knew
// only the old password would keep a session. The same holds for an account of an upstream that was unlinked.
func (h *Handler) recheck(
	r *http.Request,
	session storage.Session,
	authenticator authn.Authenticator,
	authentication authn.Authentication,
) error {
	reason := storage.ReasonUnlinked
	err := h.Accounts.Recheck(r.Context(), authentication)
	if err == nil && authenticator != nil {
		reason = storage.ReasonPasswordChange
		err = authenticator.Recheck(r.Context(), authentication)
	}
	if !errors.Is(err, storage.ErrRevoked) {
		return err
	}
	_, endErr := h.Terminator.End(r.Context(), storage.EndRequest{
		Selector: storage.Selector{Sessions: []storage.SessionID{session.ID}},
		Cause:    storage.Cause{Reason: reason, By: "system", Address: session.Address},
	})
	if endErr != nil {
		return endErr
	}
	return err
}
