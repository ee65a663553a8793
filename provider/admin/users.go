package admin

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/storage"
)

// UserStore is what the routes of users ask of the store.
type UserStore interface {
	PutUser(ctx context.Context, u storage.User, e ...storage.Event) error
	User(ctx context.Context, subject string) (storage.User, error)
	UserByLogin(ctx context.Context, login string) (storage.User, error)
	ListUsers(ctx context.Context, p storage.Page) ([]storage.User, string, error)
}

// LinkStore keeps one-time links.
type LinkStore interface {
	PutLink(ctx context.Context, l storage.Link, e storage.Event) error
}

// UserList is a page of users.
type UserList struct {
	Users []User `json:"users"`
	Next  string `json:"next,omitempty"` // after for the next page
}

// PasswordChange sets a password.
type PasswordChange struct {
	Password string `json:"password"`
	Except   string `json:"except,omitempty"`  // the id of a session that lives on; all others of the user end
	Offline  bool   `json:"offline,omitempty"` // offline access ends too
}

// ResetLink is a one-time link that sets a new password. It is shown once.
type ResetLink struct {
	URL     string    `json:"url"`
	Expires time.Time `json:"expires"`
}

// ResetLinkRequest says how long a reset link is good.
type ResetLinkRequest struct {
	Lifetime int `json:"lifetime,omitempty"` // seconds; 0: an hour
}

const (
	resetLife    = time.Hour
	maxResetLife = 7 * 24 * time.Hour
)

// user finds a person by subject, login name or e-mail address. A subject that was brought along may be what somebody else signs in with;
// then it names nobody, since an act on the wrong person cannot be taken back.
func (a *api) user(ctx context.Context, name string) (storage.User, error) {
	u, err := a.Store.UserByLogin(ctx, name)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return u, err
	}
	other, otherErr := a.Store.User(ctx, name)
	switch {
	case err != nil || otherErr != nil && !errors.Is(otherErr, storage.ErrNotFound):
		return other, named(otherErr, "user", name)
	case otherErr == nil && other.Subject != u.Subject:
		return u, &Error{Status: http.StatusConflict, Code: "ambiguous", Field: "user",
			Message: fmt.Sprintf("%q is what one person signs in with and the subject of another: use %q for the one, %q for the other", name, u.Subject, other.Name)}
	}
	return u, nil
}

func (a *api) addUser(w http.ResponseWriter, r *http.Request) error {
	members, err := readObject(w, r)
	if err != nil {
		return err
	}
	now := a.Now()
	u := storage.User{Subject: strings.ToLower(rand.Text()), Created: now, Updated: now}
	if given, ok := members["sub"]; ok {
		// A person who moves here keeps the subject that applications know them by.
		if err := read(given, &u.Subject, "a string"); err != nil || !isSubject(u.Subject) {
			return invalid("sub", "is not 1 to 255 visible ASCII characters (Core §2)")
		}
		delete(members, "sub")
	}
	var secret string
	if given, ok := members["password"]; ok {
		if err := read(given, &secret, "a string"); err != nil {
			return invalid("password", "is not a string")
		}
		delete(members, "password")
	}
	if err := applyUser(&u, members); err != nil {
		return err
	}
	if secret != "" {
		if err := a.hash(r.Context(), &u, secret); err != nil {
			return err
		}
	}
	if err := a.Store.PutUser(r.Context(), u, a.about("user.created", u.Subject, "")); err != nil {
		return err
	}
	return write(w, http.StatusCreated, userOf(u))
}

// isSubject: Core §2: at most 255 ASCII characters.
func isSubject(text string) bool {
	return text != "" && len(text) <= 255 && text != "." && text != ".." && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}

func (a *api) hash(ctx context.Context, u *storage.User, secret string) error {
	words := []string{u.Name, u.Email}
	if name, _ := u.Claims["name"].(string); name != "" {
		words = append(words, name)
	}
	if err := a.Rules.Check(secret, words...); err != nil {
		return invalid("password", "%s", err)
	}
	hash, err := a.Passwords.Hash(ctx, secret)
	if err != nil {
		return err
	}
	u.Password = hash
	return nil
}

func (a *api) listUsers(w http.ResponseWriter, r *http.Request) error {
	_, page, err := paged(r)
	if err != nil {
		return err
	}
	users, next, err := a.Store.ListUsers(r.Context(), page)
	if err != nil {
		return err
	}
	list := UserList{Users: make([]User, 0, len(users)), Next: next}
	for _, u := range users {
		list.Users = append(list.Users, userOf(u))
	}
	return write(w, http.StatusOK, list)
}

func (a *api) showUser(w http.ResponseWriter, r *http.Request) error {
	u, err := a.user(r.Context(), r.PathValue("user"))
	if err != nil {
		return err
	}
	return write(w, http.StatusOK, userOf(u))
}

// changeUser merges the body into the record (RFC 7396). A new e-mail address ends the person's sessions: it is a way in.
func (a *api) changeUser(w http.ResponseWriter, r *http.Request) error {
	members, err := readObject(w, r)
	if err != nil {
		return err
	}
	if _, ok := members["password"]; ok {
		return invalid("password", "is set by POST /users/{user}/password, which also ends sessions")
	}
	ctx := r.Context()
	u, err := a.user(ctx, r.PathValue("user"))
	if err != nil {
		return err
	}
	before := u
	if err := applyUser(&u, members); err != nil {
		return err
	}
	if _, told := members["email_verified"]; !told && u.Email != before.Email {
		u.EmailVerified = false // nobody verified the new one
	}
	u.Updated = a.Now()
	if strings.EqualFold(u.Email, before.Email) {
		if err := a.Store.PutUser(ctx, u, a.about("user.changed", u.Subject, "")); err != nil {
			return err
		}
		return write(w, http.StatusOK, userOf(u))
	}
	if _, err := a.endWith(ctx, storage.Selector{Subject: u.Subject}, storage.ReasonEmailChange, storage.Change{User: &u}, "user.changed"); err != nil {
		return err
	}
	return write(w, http.StatusOK, userOf(u))
}

func (a *api) setPassword(w http.ResponseWriter, r *http.Request) error {
	var change PasswordChange
	if err := readBody(w, r, &change); err != nil {
		return err
	}
	ctx := r.Context()
	u, err := a.user(ctx, r.PathValue("user"))
	if err != nil {
		return err
	}
	if change.Password == "" {
		return invalid("password", "is missing")
	}
	if err := a.spared(ctx, change.Except, u.Subject); err != nil {
		return err
	}
	if err := a.hash(ctx, &u, change.Password); err != nil {
		return err
	}
	u.Updated = a.Now()
	sel := storage.Selector{Subject: u.Subject, Except: storage.SessionID(change.Except), Offline: change.Offline}
	result, err := a.endWith(ctx, sel, storage.ReasonPasswordChange, storage.Change{User: &u}, "user.password")
	if err != nil {
		return err
	}
	return write(w, http.StatusOK, result)
}

// disableUser ends everything the person has, offline access included, and lets nobody sign in as them.
func (a *api) disableUser(w http.ResponseWriter, r *http.Request) error {
	u, err := a.user(r.Context(), r.PathValue("user"))
	if err != nil {
		return err
	}
	u.Disabled, u.Updated = true, a.Now()
	result, err := a.endWith(r.Context(), storage.Selector{Subject: u.Subject, Offline: true}, storage.ReasonUserDisabled, storage.Change{User: &u}, "user.disabled")
	if err != nil {
		return err
	}
	return write(w, http.StatusOK, result)
}

func (a *api) enableUser(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	u, err := a.user(ctx, r.PathValue("user"))
	if err != nil {
		return err
	}
	if u.Disabled {
		u.Disabled, u.Updated = false, a.Now()
		if err := a.Store.PutUser(ctx, u, a.about("user.enabled", u.Subject, "")); err != nil {
			return err
		}
	}
	return write(w, http.StatusOK, userOf(u))
}

// removeUser ends everything the person has and forgets them; the subject is never used again.
func (a *api) removeUser(w http.ResponseWriter, r *http.Request) error {
	u, err := a.user(r.Context(), r.PathValue("user"))
	if err != nil {
		return err
	}
	result, err := a.endWith(r.Context(), storage.Selector{Subject: u.Subject, Offline: true}, storage.ReasonUserRemoved, storage.Change{RemoveUser: u.Subject}, "user.removed")
	if err != nil {
		return err
	}
	return write(w, http.StatusOK, result)
}

func (a *api) makeResetLink(w http.ResponseWriter, r *http.Request) error {
	var request ResetLinkRequest
	if err := readBody(w, r, &request); err != nil {
		return err
	}
	life := time.Duration(request.Lifetime) * time.Second
	if request.Lifetime < 0 || request.Lifetime > int(maxResetLife/time.Second) {
		return invalid("lifetime", "is not a number of seconds up to %d", int(maxResetLife/time.Second))
	}
	if life == 0 {
		life = resetLife
	}
	ctx, now := r.Context(), a.Now()
	u, err := a.user(ctx, r.PathValue("user"))
	if err != nil {
		return err
	}
	if u.Disabled {
		return &Error{Status: http.StatusConflict, Code: "ended", Message: "the user is disabled; enable them first", Field: "user"}
	}
	secret := keys.Random("")
	link := storage.Link{Hash: storage.HashOf(secret), Purpose: "reset", Subject: u.Subject, Created: now, Expires: now.Add(life)}
	if err := a.Store.PutLink(ctx, link, a.about("user.reset_link", u.Subject, "")); err != nil {
		return err
	}
	return write(w, http.StatusCreated, ResetLink{URL: a.ResetURL(secret), Expires: link.Expires})
}

// about is the audit line of an act that concerns a user or a client. It is written with what it tells of, in one transaction.
func (a *api) about(kind, subject, client string) storage.Event {
	event := a.event(kind)
	event.Subject, event.Client = subject, client
	return event
}
