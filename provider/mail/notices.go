package mail

import (
	"net/url"
	"time"

	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// PathNotMe begins the path of the links in notices; the secret of the link follows.
const PathNotMe = "/not-me/"

// Notices writes the messages that inform users about changes of their accounts. A nil *Notices writes none.
type Notices struct {
	Outbox *Outbox
	Issuer string // links begin with it
}

// Notice says what a message is about.
type Notice struct {
	Kind      templates.MailKind
	What      string // the factor, or the name of the other provider
	UserAgent string // of the browser; empty: unknown

	// Since is when the event began: the link removes the factors that were added from then on. Zero: when it happened.
	Since time.Time
}

// Attach lets an audit line carry a message to its user. The store queues it with the line, and stores the link that is
// in it. user is the user as before the event. A user without a verified address gets no message.
func (n *Notices) Attach(e *storage.Event, user storage.User, notice Notice) error {
	if n == nil || user.Email == "" || !user.EmailVerified {
		return nil
	}
	since := notice.Since
	if since.IsZero() {
		since = e.At
	}
	secret := keys.Random()
	content, err := templates.Mail(templates.MailPage{
		Lang:     Language(user),
		Kind:     notice.Kind,
		Host:     hostOf(n.Issuer),
		Account:  user.Name,
		What:     notice.What,
		URL:      n.Issuer + PathNotMe + secret,
		Lifetime: storage.NotMeLifetime,
		At:       e.At,
		Device:   templates.ParseDevice(notice.UserAgent),
		Address:  e.Address,
	})
	if err != nil {
		return err
	}
	expires := e.At.Add(storage.NotMeLifetime)
	message, err := n.Outbox.Prepare(To(user.Email, content), expires)
	if err != nil {
		return err
	}
	e.Notice = &storage.Notice{Mail: message, Link: storage.OneTimeLink{
		Hash:    storage.HashOf(secret),
		Purpose: storage.LinkNotMe,
		Subject: user.Subject,
		Address: user.Email,
		Created: since,
		Expires: expires,
	}}
	return nil
}

// Write returns the message with a link to link.Address. path is the path of the link.
func (n *Notices) Write(
	user storage.User,
	kind templates.MailKind,
	link storage.OneTimeLink,
	path string,
) (storage.Mail, error) {
	content, err := templates.Mail(templates.MailPage{
		Lang:     Language(user),
		Kind:     kind,
		Host:     hostOf(n.Issuer),
		Account:  user.Name,
		URL:      n.Issuer + path,
		Lifetime: link.Expires.Sub(link.Created),
	})
	if err != nil {
		return storage.Mail{}, err
	}
	return n.Outbox.Prepare(To(link.Address, content), link.Expires)
}

// Language returns the language of mail to a user: the claim locale, which an operator or another provider has set, or
// else the language in which the user has used the pages.
func Language(user storage.User) string {
	locale, _ := user.Claims["locale"].(string)
	if tag, ok := templates.MatchLanguage(locale); ok {
		return tag
	}
	tag, _ := templates.MatchLanguage(user.Language)
	return tag
}

// hostOf returns the host of the issuer, by which users know the provider.
func hostOf(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil {
		return issuer
	}
	return u.Hostname()
}
