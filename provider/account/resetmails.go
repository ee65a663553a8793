package account

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/curfew-id/curfew/provider/authn"
	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/mail"
	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

const (
	// resetMailLifetime is how long a mailed reset link works.
	resetMailLifetime = time.Hour
	// maxResetRequests is how many requests may wait. Each is at most maxLoginLength long.
	maxResetRequests = 256
)

// ResetMailStore is the part of a store that ResetMails uses.
type ResetMailStore interface {
	storage.OneTimeLinks
	UserByLogin(ctx context.Context, login string) (storage.User, error)
	Factors(ctx context.Context, subject string) (storage.Factors, error)
	QueueMail(ctx context.Context, m ...storage.Mail) error
}

// ResetMails makes reset links for users who forgot their password and mails them. It does so in the background, so
// that the response does not show whether the user exists. A request that waits in memory is lost with the process; the
// user then asks again.
type ResetMails struct {
	Store   ResetMailStore
	Outbox  *mail.Outbox
	Limiter authn.Limiter
	Authn   policy.Authn
	Issuer  string // links begin with it
	Now     func() time.Time
	Log     *slog.Logger

	requests chan string
}

// NewResetMails returns m, ready for use. Its exported fields must be set.
func NewResetMails(m ResetMails) *ResetMails {
	m.requests = make(chan string, maxResetRequests)
	return &m
}

// Request passes on a request for the user with that login name or e-mail address. It returns false if too many wait.
func (m *ResetMails) Request(login string) bool {
	select {
	case m.requests <- login:
		return true
	default:
		return false
	}
}

// Run handles requests until ctx ends.
func (m *ResetMails) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case login := <-m.requests:
			if err := m.handle(ctx, login); err != nil {
				m.Log.ErrorContext(ctx, "reset mail not queued", "err", err)
			}
		}
	}
}

// handle queues a mail to the user with that login, if there is one who may get it.
func (m *ResetMails) handle(ctx context.Context, login string) error {
	user, err := m.Store.UserByLogin(ctx, login)
	if errors.Is(err, storage.ErrNotFound) {
		m.Log.InfoContext(ctx, "reset mail refused", "reason", "no user has that login")
		return nil
	}
	if err != nil {
		return fmt.Errorf("find user: %w", err)
	}
	logRefusal := func(reason string) {
		m.Log.InfoContext(ctx, "reset mail refused", "sub", user.Subject, "reason", reason)
	}
	if user.Disabled || user.Email == "" || !user.EmailVerified {
		logRefusal("the user is disabled or has no verified e-mail address")
		return nil
	}
	var tooMany *authn.TooManyAttemptsError
	mailbox := "reset mail to\x00" + user.Subject
	anyOrigin := authn.Origin{} // the page with the form limits the requests of one address
	err = m.Limiter.Allow(ctx, m.Now(), mailbox, anyOrigin)
	if errors.As(err, &tooMany) {
		logRefusal("too many mails to this user")
		return nil
	}
	if err != nil {
		return err
	}
	factors, err := m.Store.Factors(ctx, user.Subject)
	if err != nil {
		return fmt.Errorf("read factors: %w", err)
	}
	if err := m.queue(ctx, user, mayResetByMail(user, factors, m.Authn)); err != nil {
		return err
	}
	m.Outbox.Wake()
	return nil
}

// queue queues the mail with the link or, without allowed, a mail that says why there is none.
func (m *ResetMails) queue(ctx context.Context, user storage.User, allowed bool) error {
	issuer, err := url.Parse(m.Issuer)
	if err != nil {
		return fmt.Errorf("read the issuer: %w", err)
	}
	page := templates.MailPage{
		Lang:    mail.Language(user),
		Kind:    templates.MailResetRefused,
		Host:    issuer.Hostname(),
		Account: user.Name,
	}
	secret := keys.Random()
	if allowed {
		page.Kind = templates.MailReset
		page.URL = m.Issuer + "/reset/" + secret
		page.Lifetime = resetMailLifetime
	}
	content, err := templates.Mail(page)
	if err != nil {
		return err
	}
	now := m.Now()
	expires := now.Add(resetMailLifetime)
	message, err := m.Outbox.Prepare(mail.To(user.Email, content), expires)
	if err != nil {
		return err
	}
	if !allowed {
		return m.Store.QueueMail(ctx, message)
	}
	link := storage.OneTimeLink{
		Hash:    storage.HashOf(secret),
		Purpose: storage.LinkMailedReset,
		Subject: user.Subject,
		Address: user.Email,
		Created: now,
		Expires: expires,
	}
	event := storage.Event{At: now, Kind: "user.reset_mail", By: "system", Subject: user.Subject}
	return m.Store.PutOneTimeLink(ctx, link, event, message)
}

// mayResetByMail reports whether a link to the user's mailbox may set a password. It may not if the policy demands a
// factor and the user has none yet: an attacker who reads the mail could sign in and set up a factor of the attacker's
// own. A user without a password signs in by other means.
func mayResetByMail(user storage.User, factors storage.Factors, p policy.Authn) bool {
	if user.Password == "" {
		return false
	}
	switch authn.RequiredACR(p.RequirementsOf(user)...) {
	case authn.ACRPasskey:
		return len(factors.Passkeys) > 0
	case authn.ACRMultiFactor:
		return factors.HasSecondFactor()
	}
	return true
}
