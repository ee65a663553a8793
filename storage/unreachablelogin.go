package storage

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// UnreachableLogin is a user whom UserByLogin does not find by the login name. A store of an earlier build can have
// some: it compared names in lower case only.
type UnreachableLogin struct {
	User  User
	Owner *User // the user whom the name finds instead; nil: none
}

// HasOtherLogin reports whether the user can still sign in with a verified e-mail address.
func (u UnreachableLogin) HasOtherLogin() bool { return u.User.Email != "" && u.User.EmailVerified }

// Problem says what is wrong and what an operator does.
func (u UnreachableLogin) Problem() string {
	text := fmt.Sprintf("the login name %+q does not find its user, %s", u.User.Name, u.User.Subject)
	if u.Owner != nil {
		text = fmt.Sprintf("the login name %+q of the user %s is, by RFC 8265, also that of %s, whom it finds",
			u.User.Name, u.User.Subject, u.Owner.Subject)
	}
	if !u.HasOtherLogin() {
		text += "; the user has no verified e-mail address to sign in with"
	}
	return text + fmt.Sprintf(
		"; give the user another name: `curfew user set %s --preferred-username NAME`",
		u.User.Subject,
	)
}

// FindUnreachableLogins returns the users whom their login name does not find. It reads all users, and looks up only
// the names that LoginNameKey changes in more than case.
func FindUnreachableLogins(ctx context.Context, users Users) ([]UnreachableLogin, error) {
	var found []UnreachableLogin
	for page := (Page{Limit: 500}); ; {
		list, next, err := users.ListUsers(ctx, page)
		if err != nil {
			return nil, err
		}
		for _, u := range list {
			if LoginNameKey(u.Name) == strings.ToLower(u.Name) {
				continue
			}
			owner, err := users.UserByLogin(ctx, u.Name)
			switch {
			case errors.Is(err, ErrNotFound):
				found = append(found, UnreachableLogin{User: u})
			case err != nil:
				return nil, err
			case owner.Subject != u.Subject:
				found = append(found, UnreachableLogin{User: u, Owner: &owner})
			}
		}
		if next == "" {
			return found, nil
		}
		page.After = next
	}
}
