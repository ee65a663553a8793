package bolt

import (
	"fmt"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// change.go checks and writes the storage.Change of a termination.

// checkChange returns an error if c may not be applied, and truncates the times in c. It writes nothing.
func (t *tx) checkChange(c *storage.Change, at time.Time) error {
	if c.User != nil {
		u := *c.User
		if err := t.checkUser(&u); err != nil {
			return fmt.Errorf("change user: %w", err)
		}
		c.User = &u
	}
	if c.RemoveUser != "" {
		if _, ok := t.user(c.RemoveUser); !ok {
			return fmt.Errorf("remove user: %w", storage.ErrNotFound)
		}
	}
	if c.Client != nil {
		if err := t.checkClient(*c.Client); err != nil {
			return fmt.Errorf("change client: %w", err)
		}
	}
	if c.RemoveClient != "" && t.client(c.RemoveClient) == nil {
		return fmt.Errorf("remove client: %w", storage.ErrNotFound)
	}
	if c.NewSession != nil {
		session := *c.NewSession
		if err := t.checkSession(&session); err != nil {
			return fmt.Errorf("begin session: %w", err)
		}
		if t.newSessionRevoked(session) {
			return fmt.Errorf("begin session: %w", storage.ErrRevoked)
		}
		c.NewSession = &session
	}
	if c.Factors != nil {
		f := *c.Factors
		if err := t.checkFactors(&f); err != nil {
			return fmt.Errorf("change factors: %w", err)
		}
		c.Factors = &f
	}
	for _, i := range c.Unlink {
		if err := t.checkUnlink(&i); err != nil {
			return fmt.Errorf("unlink: %w", err)
		}
	}
	if c.RequireSession != "" {
		if _, ok := t.activeSession(c.RequireSession, at); !ok {
			return fmt.Errorf("require session: %w", storage.ErrRevoked)
		}
	}
	if !c.UseLink.IsZero() {
		if _, ok := t.findLink(c.UseLink, at); !ok {
			return fmt.Errorf("use link: %w", storage.ErrAlreadyUsed)
		}
	}
	return nil
}

// applyChange writes a change that checkChange has accepted.
func (t *tx) applyChange(c storage.Change, at time.Time) {
	if !c.UseLink.IsZero() {
		if l, ok := t.findLink(c.UseLink, at); ok {
			t.removeLink(l)
		}
	}
	if c.RemoveLinks != "" {
		t.removeLinks(c.RemoveLinks, true)
	}
	if c.Factors != nil {
		t.putFactors(*c.Factors)
	}
	for _, i := range c.Unlink {
		t.removeIdentity(i)
	}
	if c.ForgetBrowsers != "" {
		t.forgetBrowsers(c.ForgetBrowsers)
	}
	if c.User != nil {
		if old, ok := t.user(c.User.Subject); ok && old.Password != c.User.Password {
			t.removeLinks(c.User.Subject, true) // an unused link could set yet another password
			t.forgetBrowsers(c.User.Subject)
		}
		t.putUser(*c.User)
	}
	if c.RemoveUser != "" {
		if u, ok := t.user(c.RemoveUser); ok {
			t.removeUser(u)
		}
	}
	if c.Client != nil {
		t.putClient(*c.Client)
	}
	if c.RemoveClient != "" {
		t.removeClient(c.RemoveClient)
	}
	if c.WithdrawConsent != nil {
		t.removeConsent(c.WithdrawConsent.Subject, c.WithdrawConsent.Client)
	}
	if c.NewSession != nil {
		t.addSession(*c.NewSession)
	}
	t.addMails(c.Mails)
	t.appendEvents(c.Events)
}
