package admin

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/password"
	"github.com/curfew-id/curfew/storage"
)

// UserStore is the part of the store that the /users routes need, besides Factors.
type UserStore interface {
	PutUser(ctx context.Context, u storage.User, e ...storage.Event) error
	User(ctx context.Context, subject string) (storage.User, error)
	UserByLogin(ctx context.Context, login string) (storage.User, error)
	ListUsers(ctx context.Context, p storage.Page) (users []storage.User, next string, err error)
}

// OneTimeLinkStore stores one-time links.
type OneTimeLinkStore interface {
	PutOneTimeLink(ctx context.Context, l storage.OneTimeLink, e storage.Event, m ...storage.Mail) error
}

// UserList is a page of users.
type UserList struct {
	Users []User `json:"users"`
	Next  string `json:"next,omitempty"` // the value of ?after= for the next page; empty: this is the last one
}

// PasswordChange sets a password.
type PasswordChange struct {
	Password      string `json:"password"`
	ExceptSession string `json:"except_session,omitempty"` // the id of a session that stays; all others of the user end
	KeepOffline   bool   `json:"keep_offline,omitempty"`   // offline access stays; by default it ends too
}

// ResetLink is a one-time link with which the user sets a new password or a new factor. Curfew stores only its hash.
type ResetLink struct {
	URL     string    `json:"url"`
	Expires time.Time `json:"expires"`
}

// ResetLinkRequest asks for a reset link or an enrolment link.
type ResetLinkRequest struct {
	Lifetime int `json:"lifetime,omitempty"` // in seconds; 0: one hour
}

const (
	resetLinkLifetime    = time.Hour
	maxResetLinkLifetime = 7 * 24 * time.Hour
)

// findUser finds a user by subject, login name or e-mail address. The imported subject of one user may be the login
// name of another; then findUser returns an error, because changes to the wrong user cannot be undone.
func (a *api) findUser(ctx context.Context, name string) (storage.User, error) {
	byLogin, loginErr := a.Store.UserByLogin(ctx, name)
	if loginErr != nil && !errors.Is(loginErr, storage.ErrNotFound) {
		return byLogin, loginErr
	}
	bySubject, subjectErr := a.Store.User(ctx, name)
	if subjectErr != nil && !errors.Is(subjectErr, storage.ErrNotFound) {
		return bySubject, subjectErr
	}
	foundByLogin := loginErr == nil
	foundBySubject := subjectErr == nil
	switch {
	case !foundByLogin && !foundBySubject:
		return byLogin, explainNotFound(subjectErr, "user", name)
	case !foundByLogin:
		return bySubject, nil
	case foundBySubject && bySubject.Subject != byLogin.Subject:
		return byLogin, &Error{
			Status: http.StatusConflict,
			Code:   "ambiguous",
			Field:  "user",
			Message: fmt.Sprintf(
				"%q is the login name or e-mail address of one user and the subject of another: "+
					"use %q for the one, %q for the other",
				name,
				byLogin.Subject,
				bySubject.Name,
			),
		}
	}
	return byLogin, nil
}

func (a *api) addUser(w http.ResponseWriter, r *http.Request) error {
	members, err := readObject(w, r)
	if err != nil {
		return err
	}
	now := a.Now()
	u := storage.User{Subject: strings.ToLower(rand.Text()), Created: now, Updated: now}
	if value, ok := members["sub"]; ok {
		// An imported user keeps the subject that clients already know.
		if err := decodeValue(value, &u.Subject, "a string"); err != nil || !isValidSubject(u.Subject) {
			return invalid("sub", "is not 1 to 255 visible ASCII characters (Core §2)")
		}
		delete(members, "sub")
	}
	var secret string
	if value, ok := members["password"]; ok {
		if err := decodeValue(value, &secret, "a string"); err != nil {
			return invalid("password", "is not a string")
		}
		delete(members, "password")
	}
	if err := applyMembers(&u, members); err != nil {
		return err
	}
	if _, given := members["email_verified"]; !given {
		u.EmailVerified = u.Email != "" // an address from the operator counts as verified by default
	}
	if secret != "" {
		if err := a.setPasswordHash(r.Context(), &u, secret); err != nil {
			return err
		}
	}
	if err := a.Store.PutUser(r.Context(), u, a.auditEventFor(r.Context(), "user.created", u.Subject, "")); err != nil {
		return err
	}
	return writeJSON(w, http.StatusCreated, toUser(u))
}

// maxSubjectLength is the longest subject, in ASCII characters (Core §2).
const maxSubjectLength = 255

// isValidSubject reports whether a text can be a subject: visible ASCII characters, and not a dot segment, because the
// subject is a segment of the user's path in this API.
func isValidSubject(text string) bool {
	isNoSegment := text == "" || text == "." || text == ".."
	if isNoSegment || len(text) > maxSubjectLength {
		return false
	}
	isInvisible := func(r rune) bool { return r <= ' ' || r > '~' }
	return !strings.ContainsFunc(text, isInvisible)
}

// setPasswordHash checks a new password and sets its hash in u.
func (a *api) setPasswordHash(ctx context.Context, u *storage.User, secret string) error {
	names := []string{u.Name, u.Email}
	if name, _ := u.Claims["name"].(string); name != "" {
		names = append(names, name)
	}
	factors, err := a.Store.Factors(ctx, u.Subject)
	if err != nil {
		return err
	}
	account := password.Account{Names: names, HasSecondFactor: factors.HasSecondFactor()}
	err = a.PasswordRules.Check(secret, account)
	if password.IsWeak(err) {
		return invalid("password", "%s", err)
	}
	if err != nil {
		return err
	}
	hash, err := a.PasswordHasher.Hash(ctx, secret)
	if err != nil {
		return err
	}
	u.Password = hash
	return nil
}

func (a *api) listUsers(w http.ResponseWriter, r *http.Request) error {
	query, page, err := parsePage(r, "group") // also allows ?group=
	if err != nil {
		return err
	}
	users, next, err := a.Store.ListUsers(r.Context(), page)
	if err != nil {
		return err
	}
	list := UserList{Users: make([]User, 0, len(users)), Next: next}
	// The store does not filter by group: a page may have fewer users than its limit, even none, although Next leads on.
	group := query.Get("group")
	for _, u := range users {
		if group == "" || slices.Contains(u.Groups, group) {
			list.Users = append(list.Users, toUser(u))
		}
	}
	return writeJSON(w, http.StatusOK, list)
}

func (a *api) showUser(w http.ResponseWriter, r *http.Request) error {
	u, err := a.findUser(r.Context(), r.PathValue("user"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, toUser(u))
}

// changeUser merges the body into the record (RFC 7396). A new e-mail address ends the user's sessions, offline access
// and one-time links, because the old address was a login name. With keep_offline, offline access stays. A user who
// leaves groups loses the client sessions and grants of the clients that no longer admit the user.
func (a *api) changeUser(w http.ResponseWriter, r *http.Request) error {
	members, err := readObject(w, r)
	if err != nil {
		return err
	}
	if _, ok := members["password"]; ok {
		return invalid("password", "is set by POST /users/{user}/password, which also ends sessions")
	}
	ctx := r.Context()
	u, err := a.findUser(ctx, r.PathValue("user"))
	if err != nil {
		return err
	}
	keepOffline := false
	if value, ok := members["keep_offline"]; ok {
		if err := decodeValue(value, &keepOffline, "true or false"); err != nil {
			return invalid("keep_offline", "is not true or false")
		}
		delete(members, "keep_offline")
	}
	old := u
	if err := applyMembers(&u, members); err != nil {
		return err
	}
	if _, given := members["email_verified"]; !given && u.Email != old.Email {
		u.EmailVerified = u.Email != "" // an address from the operator counts as verified by default
	}
	if u.Email != old.Email { // a link that the user got about another change does not undo the operator's
		u.FormerEmail = ""
		u.EmailFixedUntil = time.Time{}
	}
	u.Updated = a.Now()
	leavesAnyGroup := leavesGroups(old, u)
	changesEmail := storage.EmailKey(u.Email) != storage.EmailKey(old.Email)
	event := a.auditEventFor(ctx, "user.changed", u.Subject, "")
	switch {
	case changesEmail && leavesAnyGroup && keepOffline:
		return invalid("keep_offline", "cannot be combined with fewer groups; send the change of groups by itself")
	case changesEmail:
		err = a.putUserWithNewEmail(ctx, u, keepOffline, event)
	case leavesAnyGroup:
		_, err = a.putUserWithFewerGroups(ctx, u, event)
	default:
		err = a.Store.PutUser(ctx, u, event)
	}
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, toUser(u))
}

// putUserWithNewEmail stores a user and ends the user's sessions: who had the old address could sign in with it.
func (a *api) putUserWithNewEmail(ctx context.Context, u storage.User, keepOffline bool, event storage.Event) error {
	req := storage.EndRequest{
		Selector: storage.Selector{Subject: u.Subject},
		Change:   storage.Change{User: &u, Events: []storage.Event{event}},
	}
	req.SecureUser(u.Subject, keepOffline)
	_, err := a.terminate(ctx, req.Selector, storage.ReasonEmailChange, req.Change, changeHasEvent)
	return err
}

func (a *api) setPassword(w http.ResponseWriter, r *http.Request) error {
	var change PasswordChange
	if err := readBody(w, r, &change); err != nil {
		return err
	}
	ctx := r.Context()
	u, err := a.findUser(ctx, r.PathValue("user"))
	if err != nil {
		return err
	}
	if change.Password == "" {
		return invalid("password", "is missing")
	}
	if err := a.checkExceptSession(ctx, change.ExceptSession, u.Subject); err != nil {
		return err
	}
	if err := a.setPasswordHash(ctx, &u, change.Password); err != nil {
		return err
	}
	u.Updated = a.Now()
	req := storage.EndRequest{
		Selector: storage.Selector{Subject: u.Subject, Except: storage.SessionID(change.ExceptSession)},
		Change:   storage.Change{User: &u},
	}
	req.SecureUser(u.Subject, change.KeepOffline)
	result, err := a.terminate(ctx, req.Selector, storage.ReasonPasswordChange, req.Change, "user.password")
	if err != nil {
		return err
	}
	if err := a.Limiter.Unlock(ctx, u.Subject); err != nil {
		a.log().WarnContext(ctx, "account still limited after a new password", "sub", u.Subject, "err", err)
	}
	return writeJSON(w, http.StatusOK, result)
}

// disableUser disables the user and ends the user's sessions and grants, offline access included. A disabled user
// cannot sign in.
func (a *api) disableUser(w http.ResponseWriter, r *http.Request) error {
	u, err := a.findUser(r.Context(), r.PathValue("user"))
	if err != nil {
		return err
	}
	u.Disabled = true
	u.Updated = a.Now()
	result, err := a.terminate(
		r.Context(),
		storage.Selector{Subject: u.Subject, IncludeOffline: true},
		storage.ReasonUserDisabled,
		storage.Change{User: &u},
		"user.disabled",
	)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, result)
}

func (a *api) enableUser(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	u, err := a.findUser(ctx, r.PathValue("user"))
	if err != nil {
		return err
	}
	if u.Disabled {
		u.Disabled = false
		u.Updated = a.Now()
		if err := a.Store.PutUser(ctx, u, a.auditEventFor(r.Context(), "user.enabled", u.Subject, "")); err != nil {
			return err
		}
	}
	return writeJSON(w, http.StatusOK, toUser(u))
}

// removeUser removes the user and ends the user's sessions and grants. The subject is never used again.
func (a *api) removeUser(w http.ResponseWriter, r *http.Request) error {
	u, err := a.findUser(r.Context(), r.PathValue("user"))
	if err != nil {
		return err
	}
	result, err := a.terminate(
		r.Context(),
		storage.Selector{Subject: u.Subject, IncludeOffline: true},
		storage.ReasonUserRemoved,
		storage.Change{RemoveUser: u.Subject},
		"user.removed",
	)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, result)
}

func (a *api) makeResetLink(w http.ResponseWriter, r *http.Request) error {
	return a.makeLink(w, r, storage.LinkReset, "user.reset_link", a.ResetURL)
}

// makeEnrolLink makes a one-time link with which a user who lost every factor sets up a new one.
func (a *api) makeEnrolLink(w http.ResponseWriter, r *http.Request) error {
	return a.makeLink(w, r, storage.LinkEnrol, "user.enrol_link", a.EnrolURL)
}

// makeLink makes a one-time link for a purpose. An older one of the same purpose and user stops working.
func (a *api) makeLink(
	w http.ResponseWriter,
	r *http.Request,
	purpose, eventKind string,
	linkURL func(secret string) string,
) error {
	var request ResetLinkRequest
	if err := readBody(w, r, &request); err != nil {
		return err
	}
	const maxSeconds = int(maxResetLinkLifetime / time.Second)
	if request.Lifetime < 0 || request.Lifetime > maxSeconds {
		return invalid("lifetime", "is not a number of seconds up to %d", maxSeconds)
	}
	lifetime := cmp.Or(time.Duration(request.Lifetime)*time.Second, resetLinkLifetime)
	ctx := r.Context()
	now := a.Now()
	u, err := a.findUser(ctx, r.PathValue("user"))
	if err != nil {
		return err
	}
	if u.Disabled {
		return &Error{
			Status:  http.StatusConflict,
			Code:    "disabled",
			Message: "the user is disabled; enable them first",
			Field:   "user",
		}
	}
	secret := keys.Random()
	link := storage.OneTimeLink{
		Hash:    storage.HashOf(secret),
		Purpose: purpose,
		Subject: u.Subject,
		Created: now,
		Expires: now.Add(lifetime),
	}
	event := a.auditEventFor(ctx, eventKind, u.Subject, "")
	if err := a.Store.PutOneTimeLink(ctx, link, event); err != nil {
		return err
	}
	return writeJSON(w, http.StatusCreated, ResetLink{URL: linkURL(secret), Expires: link.Expires})
}

// auditEventFor returns the audit event of a change to a user or a client.
func (a *api) auditEventFor(ctx context.Context, kind, subject, client string) storage.Event {
	event := a.auditEvent(ctx, kind)
	event.Subject = subject
	event.Client = client
	return event
}
