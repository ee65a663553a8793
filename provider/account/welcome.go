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

// welcome.go sets the first password of a new user: one whom an operator has added and invited, or one who signs up.

// The pages of the links to new users.
const (
	PathInvitation  = "/invitation/{link}"
	PathSignUpLink  = "/signup/{link}"
	purposeWelcome  = "welcome"
	welcomeLifetime = time.Hour // of the page
)

// ShowWelcome handles GET /invitation/{link} and GET /signup/{link}. Only POST uses the link up.
func (h *Handler) ShowWelcome(w http.ResponseWriter, r *http.Request) error {
	user, _, err := h.newUser(r)
	if err != nil {
		return err
	}
	return h.renderWelcome(w, r, user, templates.Problem{})
}

// newUser returns the user of the link: with Revision 0 one who does not exist yet. The link is refused after another
// address or a password was set.
func (h *Handler) newUser(r *http.Request) (storage.User, storage.OneTimeLink, error) {
	errLinkInvalid := web.PageError{
		Status: http.StatusGone,
		Reason: "the link of a new user is unknown, used or expired, or the user has a password or another address",
	}
	now := h.Site.Now()
	link, err := h.Store.OneTimeLink(r.Context(), storage.HashOf(r.PathValue("link")), now)
	if errors.Is(err, storage.ErrNotFound) {
		return storage.User{}, link, errLinkInvalid
	}
	if err != nil {
		return storage.User{}, link, err
	}
	switch link.Purpose {
	case storage.LinkSignUp:
		user := storage.User{Subject: link.Subject, Name: link.Address, Email: link.Address, Created: now}
		return user, link, nil
	case storage.LinkInvitation:
	default:
		return storage.User{}, link, errLinkInvalid
	}
	user, err := h.Store.User(r.Context(), link.Subject)
	if errors.Is(err, storage.ErrNotFound) {
		return user, link, errLinkInvalid
	}
	if err == nil && (user.Disabled || user.Password != "" || user.Email != link.Address) {
		err = errLinkInvalid
	}
	return user, link, err
}

func (h *Handler) renderWelcome(
	w http.ResponseWriter,
	r *http.Request,
	user storage.User,
	problem templates.Problem,
) error {
	interactionID, err := h.Site.SealInteraction(w, r, purposeWelcome, user.Subject, welcomeLifetime)
	if err != nil {
		return err
	}
	const hasSecondFactor = false
	page := templates.ResetPasswordPage{
		Page:        h.Site.Page(r),
		Action:      h.Site.Path(r.URL.EscapedPath()),
		Interaction: interactionID,
		Login:       user.Name,
		MinPassword: h.Rules.MinLengthFor(hasSecondFactor),
		Invitation:  true,
		Problem:     problem,
	}
	web.PageHeaders(w, web.PagePolicy{FormsToSelf: true})
	if problem.Fault != "" {
		w.WriteHeader(http.StatusUnprocessableEntity)
	}
	h.Site.LogRenderError(r, templates.ResetPassword(w, page))
	return nil
}

// Welcome handles POST /invitation/{link} and POST /signup/{link}. One transaction uses the link up, stores the
// password and the verified address, and creates a user who signs up. The user is then signed in, unless the policy
// demands more than a password.
func (h *Handler) Welcome(w http.ResponseWriter, r *http.Request) error {
	user, link, err := h.newUser(r)
	if err != nil {
		return err
	}
	form, err := web.Params(r)
	if err != nil {
		return err
	}
	var formSubject string // of the user for whom the form was shown
	_, err = h.Site.OpenInteraction(r, purposeWelcome, form.Get("interaction"), &formSubject)
	if err != nil || formSubject != user.Subject {
		return web.PageError{
			Text:    templates.ErrorAccountPageExpired,
			LinkURL: h.Site.Path(r.URL.EscapedPath()),
			Link:    templates.LinkOpenAgain,
		}
	}
	newPassword := form.Get("new-password")
	problem, err := h.checkNewPassword(r.Context(), newPassword, user)
	if err != nil {
		return err
	}
	if newPassword != form.Get("repeat-password") {
		problem = templates.Problem{Fault: templates.PasswordsDiffer}
	}
	if problem.Fault != "" {
		return h.renderWelcome(w, r, user, problem)
	}
	if user.Password, err = h.Hasher.Hash(r.Context(), newPassword); err != nil {
		return err
	}
	user.EmailVerified = true
	user.Language = h.Site.Page(r).Lang
	err = h.storeNewUser(r, user, link)
	if errors.Is(err, storage.ErrExists) || errors.Is(err, storage.ErrAlreadyUsed) {
		reason := "the link was used, or another user has the address by now"
		return web.PageError{Status: http.StatusGone, Reason: reason, Err: err}
	}
	if err != nil {
		return err
	}
	if authn.RequiredACR(h.Authn.Require) == "" {
		if err := h.signIn(w, r, user); err != nil {
			return err
		}
	}
	web.Redirect(w, h.Site.Path("/account"))
	return nil
}

func (h *Handler) storeNewUser(r *http.Request, user storage.User, link storage.OneTimeLink) error {
	now := h.Site.Now()
	user.Updated = now
	cause := storage.Cause{
		Reason:  storage.ReasonPasswordReset,
		By:      "user:" + user.Subject,
		Address: h.Site.ClientAddress(r),
	}
	event := storage.Event{
		At: now, Kind: "user.password", By: cause.By, Subject: user.Subject, Address: cause.Address,
	}
	if user.Revision == 0 {
		event.Kind = "user.created"
	}
	request := storage.EndRequest{
		Selector: storage.Selector{Subject: user.Subject},
		Cause:    cause,
		Change:   storage.Change{User: &user, UseLink: link.Hash, Events: []storage.Event{event}},
	}
	const keepOffline = false
	request.SecureUser(user.Subject, keepOffline)
	_, err := h.Terminator.End(r.Context(), request)
	return err
}

// signIn starts a session of a user who has just set the first password. A session of another user in this browser
// ends.
func (h *Handler) signIn(w http.ResponseWriter, r *http.Request, user storage.User) error {
	previous, signedIn, err := h.Site.Session(r)
	if err != nil {
		return err
	}
	sequence, err := h.Store.Sequence(r.Context())
	if err != nil {
		return err
	}
	now := h.Site.Now().UTC().Truncate(time.Millisecond)
	proven := authn.ByPassword(user, now, sequence)
	secret := keys.Random()
	session := storage.Session{
		ID:          storage.SessionID(keys.Random()),
		Sequence:    sequence,
		SecretHash:  storage.HashOf(secret),
		Subject:     user.Subject,
		AuthTime:    now,
		AMR:         proven.AMR,
		ACR:         proven.ACR,
		Created:     now,
		LastActive:  now,
		IdleTimeout: h.SessionLifetimes.Idle,
		Expires:     now.Add(h.SessionLifetimes.Absolute),
		UserAgent:   web.UserAgent(r),
		Address:     h.Site.ClientAddress(r),
	}
	event := storage.Event{
		At:      now,
		Kind:    "session.created",
		By:      "user:" + user.Subject,
		Subject: user.Subject,
		Session: storage.SessionHash(session.ID),
		Address: session.Address,
	}
	if signedIn {
		cause := storage.Cause{Reason: storage.ReasonOtherUser, By: event.By, Address: session.Address}
		_, err = h.Terminator.End(r.Context(), storage.EndRequest{
			Selector: storage.Selector{Sessions: []storage.SessionID{previous.ID}},
			Cause:    cause,
			Change:   storage.Change{NewSession: &session, Events: []storage.Event{event}},
		})
	} else {
		err = h.Store.CreateSession(r.Context(), session, event)
	}
	if err != nil {
		return err
	}
	h.Site.SetSessionCookie(w, r, secret, 0)
	h.Site.RememberDevice(w, r, user.Subject)
	return nil
}
