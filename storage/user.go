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
	Subject       string         `json:"sub"`                // opaque, stable, never reused (Core §2)
	Name          string         `json:"preferred_username"` // the login name, unique by LoginNameKey
	Email         string         `json:"email,omitempty"`    // if verified: unique by EmailKey and accepted at sign-in
	EmailVerified bool           `json:"email_verified,omitempty"`
	Claims        map[string]any `json:"claims,omitempty"`   // other claims of Core §5.1; address is an object
	Groups        []string       `json:"groups,omitempty"`   // names of groups, sorted; see SortGroups
	Password      string         `json:"password,omitempty"` // argon2id in PHC form; empty: no sign-in by password
	Disabled      bool           `json:"disabled,omitempty"`
	Language      string         `json:"language,omitempty"` // of mail: the tag of a language of the pages

	// EmailFixedUntil is until when the user cannot change the address. FormerEmail is the verified address before the
	// latest change; until then a link that was mailed to it brings it back.
	EmailFixedUntil time.Time `json:"email_fixed_until,omitzero"`
	FormerEmail     string    `json:"former_email,omitempty"`

	Created  time.Time `json:"created"`
	Updated  time.Time `json:"updated"`
	Revision uint64    `json:"revision"` // counts writes; 0: the user is not stored yet
}

// maxEmailLength is the longest address that SMTP can carry, in bytes (RFC 5321 §4.5.3.1.3, without the brackets).
const maxEmailLength = 254

// IsEmail reports whether text is an e-mail address and nothing else (RFC 5322 addr-spec, as in Core §5.1). It refuses
// invisible characters, which would make an address look like another one.
func IsEmail(text string) bool {
	address, err := mail.ParseAddress(text)
	if err != nil || address.Address != text || len(text) > maxEmailLength {
		return false
	}
	isInvisible := func(r rune) bool { return !unicode.IsPrint(r) }
	return !strings.ContainsFunc(text, isInvisible)
}

// HasMailbox reports whether mail to the address reaches the user: it is the verified address or, for a while after a
// change, the one before.
func (u *User) HasMailbox(address string, at time.Time) bool {
	isCurrent := u.EmailVerified && u.Email == address
	isFormer := u.FormerEmail == address && at.Before(u.EmailFixedUntil)
	return address != "" && (isCurrent || isFormer)
}

// ChangeEmail sets an address that the user has shown to be theirs.
func (u *User) ChangeEmail(address string, at time.Time) {
	u.FormerEmail = ""
	if u.EmailVerified {
		u.FormerEmail = u.Email
	}
	u.EmailFixedUntil = at.Add(NotMeLifetime)
	u.Email = address
	u.EmailVerified = true
}

// FixEmail keeps the address from being changed for a while, because an attacker may act as the user. mailbox is the
// address at which the user said so (HasMailbox); a former one is the user's address again.
func (u *User) FixEmail(mailbox string, at time.Time) {
	u.Email = mailbox
	u.EmailVerified = true
	u.FormerEmail = ""
	u.EmailFixedUntil = at.Add(NotMeLifetime)
}

// Users stores users. Changes that end sessions (disabling, a new password, removal) go through EndSessions.
type Users interface {
	// PutUser stores u and adds the audit lines, in one transaction. Revision 0 creates the user (ErrExists if the
	// name or the verified e-mail is taken, or if the subject was ever used). Otherwise u.Revision must equal the
	// stored revision (ErrChanged, ErrNotFound).
	PutUser(ctx context.Context, u User, e ...Event) error
	// User finds a user by subject, disabled or not.
	User(ctx context.Context, subject string) (User, error)
	// UserByLogin finds a user by login name or verified e-mail address, as LoginNameKey and EmailKey compare them.
	UserByLogin(ctx context.Context, login string) (User, error)
	// ListUsers lists users by login name.
	ListUsers(ctx context.Context, p Page) (users []User, next string, err error)
}
