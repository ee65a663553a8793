package signin

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/tokens"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
)

// startSession makes the session of a person who has just shown who they are. Every authentication makes a new cookie secret; session and sids stay
// for the same person and are new for another, whose session ends in the same transaction and whose applications are told. at is when the
// person's record was read. storage.ErrEnded: what they showed has been replaced since, or all of their sessions ended.
func (h *Handler) startSession(w http.ResponseWriter, r *http.Request, previous *storage.Session, user storage.User, rememberMe bool, readAt time.Time) (storage.Session, error) {
	now := readAt.UTC().Truncate(time.Millisecond)
	secret := keys.Random("")
	lifetimes := h.Lifetimes
	idle, absolute, cookieLifetime := lifetimes.Idle, lifetimes.Absolute, time.Duration(0)
	if rememberMe {
		idle, absolute, cookieLifetime = lifetimes.RememberIdle, lifetimes.RememberAbsolute, lifetimes.RememberAbsolute
	}
	auth := storage.Authentication{SecretHash: storage.HashOf(secret), AuthTime: now, AMR: []string{"pwd"}, ACR: tokens.ACRPassword, RememberMe: rememberMe,
		IdleTimeout: idle, Expires: now.Add(absolute), UserAgent: web.UserAgent(r), Address: h.Site.ClientAddress(r)}
	event := storage.Event{At: now, Kind: "session.created", By: "user:" + user.Subject, Subject: user.Subject, Address: auth.Address}

	var session storage.Session
	if previous != nil && previous.Subject == user.Subject {
		event.Kind = "session.reauthenticated"
		event.Session = storage.SessionHash(previous.ID)
		renewed, err := h.Store.Reauthenticate(r.Context(), previous.ID, auth, now, event)
		switch {
		case err == nil:
			session = renewed
		case !errors.Is(err, storage.ErrRevoked):
			return session, err
		default: // it ended meanwhile: a new one begins
			previous, event.Kind = nil, "session.created"
		}
	}
	if session.ID == "" {
		session = storage.Session{ID: storage.SessionID(keys.Random("")), SecretHash: auth.SecretHash, Subject: user.Subject, AuthTime: now, AMR: auth.AMR, ACR: auth.ACR,
			Created: now, LastActive: now, IdleTimeout: idle, Expires: auth.Expires, RememberMe: rememberMe, UserAgent: auth.UserAgent, Address: auth.Address}
		event.Session = storage.SessionHash(session.ID)
		if previous == nil {
			if err := h.Store.CreateSession(r.Context(), session, event); err != nil {
				return session, err
			}
		} else {
			cause := storage.Cause{Reason: storage.ReasonOtherUser, By: "user:" + user.Subject, Address: auth.Address}
			change := storage.Change{NewSession: &session, Events: []storage.Event{event}}
			if _, err := h.Terminator.End(r.Context(), storage.EndRequest{Selector: storage.Selector{Sessions: []storage.SessionID{previous.ID}}, Cause: cause, Change: change}); err != nil {
				return session, err
			}
		}
	}
	if err := h.verifyPasswordUnchanged(r, session, user); err != nil {
		return session, err
	}
	h.Site.SetSessionCookie(w, secret, cookieLifetime)
	h.Site.RememberDevice(w, r, user.Subject)
	w.Header().Set("Set-Login", "logged-in")
	return session, nil
}

// verifyPasswordUnchanged looks once more whether the password that was checked is still the person's: checking takes long enough for it to be changed
// meanwhile, and whoever knows the old one must not come out of that with a session.
func (h *Handler) verifyPasswordUnchanged(r *http.Request, session storage.Session, verifiedUser storage.User) error {
	user, err := h.Store.User(r.Context(), verifiedUser.Subject)
	if err != nil || user.Password == verifiedUser.Password {
		return err
	}
	cause := storage.Cause{Reason: storage.ReasonPasswordChange, By: "system", Address: session.Address}
	if _, err := h.Terminator.End(r.Context(), storage.EndRequest{Selector: storage.Selector{Sessions: []storage.SessionID{session.ID}}, Cause: cause}); err != nil {
		return err
	}
	return fmt.Errorf("begin session: the password was changed meanwhile: %w", storage.ErrRevoked)
}
