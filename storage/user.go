package storage

import (
	"context"
	"net/mail"
	"strings"
	"time"
	"unicode"
)

// User is an End-User with an account.
type User struct {
	Subject       string         `json:"sub"`                      // opaque, stable, never reused (Core §2)
	Name          string         `json:"preferred_username"`       // the login name, unique by LoginNameKey
	Email         string         `json:"email,omitempty"`          // a way to sign in, and unique by EmailKey, only if it is verified
	EmailVerified bool           `json:"email_verified,omitempty"` //
	Claims        map[string]any `json:"claims,omitempty"`         // the other claims of Core §5.1 by their names; address is an object (§5.1.1)
	Password      string         `json:"password,omitempty"`       // argon2id in PHC form; empty: cannot sign in by password
	Disabled      bool           `json:"disabled,omitempty"`
	Created       time.Time      `json:"created"`
	Updated       time.Time      `json:"updated"`
	Revision      uint64         `json:"revision"` // counts writes; 0 is a user not stored yet
}

// IsEmail reports whether text is an address alone, as Core §5.1 has it (RFC 5322 addr-spec), of at most 254 bytes
// and without invisible characters, which would make it look like another address.
func IsEmail(text string) bool {
	a, err := mail.ParseAddress(text)
	return err == nil && a.Address == text && len(text) <= 254 &&
		!strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}

// Users stores users. Changes that end sessions (disabling, a new password, removal) go through EndSessions.
type Users interface {
	// PutUser stores u and adds the audit lines, in one transaction. Revision 0 creates it (ErrExists if subject,
	// name or verified e-mail is taken or the subject was ever used); otherwise Revision must be the stored one
	// (ErrChanged, ErrNotFound).
	PutUser(ctx context.Context, u User, e ...Event) error
	// User finds a user by subject, disabled or not.
	User(ctx context.Context, subject string) (User, error)
	// UserByLogin finds a user by login name or verified e-mail address, as LoginNameKey and EmailKey compare them.
	UserByLogin(ctx context.Context, login string) (User, error)
	// ListUsers lists users by login name.
	ListUsers(ctx context.Context, p Page) (users []User, next string, err error)
}
