package admin

import (
	"crypto/rand"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// invitationLifetime is how long the link in an invitation works.
const invitationLifetime = 7 * 24 * time.Hour

// InvitationRequest invites a user without a password, or the owner of an address who makes an account of their own.
// Exactly one member is set.
type InvitationRequest struct {
	User  string `json:"user,omitempty"`
	Email string `json:"email,omitempty"`
}

// Invitation was queued as mail.
type Invitation struct {
	Email   string    `json:"email"`
	Expires time.Time `json:"expires"`
}

func (a *api) invite(w http.ResponseWriter, r *http.Request) error {
	var request InvitationRequest
	if err := readBody(w, r, &request); err != nil {
		return err
	}
	if a.Notices == nil {
		return &Error{
			Status:  http.StatusConflict,
			Code:    "no_mail",
			Message: "Curfew sends no mail; name a mail server with mail.host and mail.from",
		}
	}
	if (request.User == "") == (request.Email == "") {
		return invalid("user", "and email: exactly one of them is needed")
	}
	now := a.Now()
	secret := keys.Random()
	link := storage.OneTimeLink{
		Hash:    storage.HashOf(secret),
		Purpose: storage.LinkInvitation,
		Created: now,
		Expires: now.Add(invitationLifetime),
	}
	user, path := storage.User{}, "/invitation/"
	var err error
	if request.Email != "" {
		path = "/signup/"
		user, err = a.newUserOf(r, request.Email)
		link.Purpose = storage.LinkSignUp
	} else {
		user, err = a.invitedUser(r, request.User)
	}
	if err != nil {
		return err
	}
	link.Subject, link.Address = user.Subject, user.Email
	message, err := a.Notices.Write(user, templates.MailInvitation, link, path+secret)
	if err != nil {
		return err
	}
	event := a.auditEventFor(r.Context(), "user.invited", user.Subject, "")
	if err := a.Store.PutOneTimeLink(r.Context(), link, event, message); err != nil {
		return err
	}
	a.Notices.Outbox.Wake()
	return writeJSON(w, http.StatusCreated, Invitation{Email: link.Address, Expires: link.Expires})
}

// invitedUser returns a user who may be invited.
func (a *api) invitedUser(r *http.Request, name string) (storage.User, error) {
	u, err := a.findUser(r.Context(), name)
	if err != nil {
		return u, err
	}
	conflict := &Error{Status: http.StatusConflict, Field: "user"}
	switch {
	case u.Disabled:
		conflict.Code, conflict.Message = "disabled", "the user is disabled; enable them first"
	case u.Email == "":
		conflict.Code, conflict.Message = "no_email", "the user has no e-mail address; set one first"
	case u.Password != "":
		conflict.Code, conflict.Message = "has_password", "the user has a password; make a reset link instead"
	default:
		return u, nil
	}
	return u, conflict
}

// newUserOf returns the user who may sign up with an address.
func (a *api) newUserOf(r *http.Request, address string) (storage.User, error) {
	u := storage.User{Subject: strings.ToLower(rand.Text()), Name: address, Email: address}
	if a.SignUp.Mode != policy.SignUpInvitation && a.SignUp.Mode != policy.SignUpOpen {
		return u, &Error{
			Status:  http.StatusConflict,
			Code:    "sign_up_off",
			Field:   "email",
			Message: "sign_up.mode is off; set it to invitation, or add the user and invite them by name",
		}
	}
	if !storage.IsEmail(address) {
		return u, invalid("email", "%q is not an e-mail address", address)
	}
	_, err := a.Store.UserByLogin(r.Context(), address)
	if err == nil {
		return u, &Error{
			Status: http.StatusConflict, Code: "exists", Field: "email", Message: "a user has this address or login name",
		}
	}
	if !errors.Is(err, storage.ErrNotFound) {
		return u, err
	}
	return u, nil
}
