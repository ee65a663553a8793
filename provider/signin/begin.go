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

// begin makes the session of a person who has just shown who they are. Every authentication makes a new cookie secret; session and sids stay
// for the same person and are new for another, whose session ends in the same transaction and whose applications are told. at is when the
// person's record was read. storage.ErrEnded: what they showed has been replaced since, or all of their sessions ended.
func (h *Handler) begin(w http.ResponseWriter, r *http.Request, old *storage.Session, user storage.User, keep bool, at time.Time) (storage.Session, error) {
	now := at.UTC().Truncate(time.Millisecond)
	secret := keys.Random("")
	life := h.Lifetimes
	idle, absolute, cookie := life.Idle, life.Absolute, time.Duration(0)
	if keep {
		idle, absolute, cookie = life.KeepIdle, life.KeepAbsolute, life.KeepAbsolute
	}
	a := storage.Authentication{Secret: storage.HashOf(secret), AuthTime: now, AMR: []string{"pwd"}, ACR: tokens.ACRPassword, Keep: keep,
		Idle: idle, Expires: now.Add(absolute), UserAgent: web.UserAgent(r), Address: h.Site.Address(r)}
	event := storage.Event{At: now, Kind: "session.created", By: "user:" + user.Subject, Subject: user.Subject, Address: a.Address}

	var session storage.Session
	if old != nil && old.Subject == user.Subject {
		event.Kind = "session.reauthenticated"
		event.Session = storage.SessionHash(old.ID)
		renewed, err := h.Store.Reauthenticate(r.Context(), old.ID, a, now, event)
		switch {
		case err == nil:
			session = renewed
		case !errors.Is(err, storage.ErrEnded):
			return session, err
		default: // it ended meanwhile: a new one begins
			old, event.Kind = nil, "session.created"
		}
	}
	if session.ID == "" {
		session = storage.Session{ID: storage.SessionID(keys.Random("")), Secret: a.Secret, Subject: user.Subject, AuthTime: now, AMR: a.AMR, ACR: a.ACR,
			Created: now, LastActive: now, Idle: idle, Expires: a.Expires, Keep: keep, UserAgent: a.UserAgent, Address: a.Address}
		event.Session = storage.SessionHash(session.ID)
		if old == nil {
			if err := h.Store.CreateSession(r.Context(), session, event); err != nil {
				return session, err
			}
		} else {
			cause := storage.Cause{Reason: storage.ReasonOtherUser, By: "user:" + user.Subject, Address: a.Address}
			change := storage.Change{Session: &session, Events: []storage.Event{event}}
			if _, err := h.Ender.End(r.Context(), storage.Selector{Sessions: []storage.SessionID{old.ID}}, cause, change); err != nil {
				return session, err
			}
		}
	}
	if err := h.stillGood(r, session, user); err != nil {
		return session, err
	}
	h.Site.SetSession(w, secret, cookie)
	h.Site.RememberDevice(w, r, user.Subject)
	w.Header().Set("Set-Login", "logged-in")
	return session, nil
}

// stillGood looks once more whether the password that was checked is still the person's: checking takes long enough for it to be changed
// meanwhile, and whoever knows the old one must not come out of that with a session.
func (h *Handler) stillGood(r *http.Request, session storage.Session, checked storage.User) error {
	user, err := h.Store.User(r.Context(), checked.Subject)
	if err != nil || user.Password == checked.Password {
		return err
	}
	cause := storage.Cause{Reason: storage.ReasonPasswordChange, By: "system", Address: session.Address}
	if _, err := h.Ender.End(r.Context(), storage.Selector{Sessions: []storage.SessionID{session.ID}}, cause, storage.Change{}); err != nil {
		return err
	}
	return fmt.Errorf("begin session: the password was changed meanwhile: %w", storage.ErrEnded)
}
