package postgres

import (
	"fmt"

	"github.com/curfew-id/curfew/storage"
)

// change.go applies the change that belongs to a termination (storage.Change).

// checkChange returns an error if the change must not be applied. Otherwise it normalizes the change and locks the
// records that it uses. It writes nothing.
func (e *endSessionsTx) checkChange() (err error) {
	c := &e.change
	if !c.UseLink.IsZero() {
		if _, ok := e.lockLink(c.UseLink, e.At); !ok {
			return fmt.Errorf("use link: %w", storage.ErrAlreadyUsed)
		}
	}
	if c.User != nil {
		u := *c.User
		if e.oldUser, err = e.checkUser(&u); err != nil {
			return fmt.Errorf("change user: %w", err)
		}
		c.User = &u
	}
	if c.RemoveUser != "" {
		if _, ok := e.user(c.RemoveUser); !ok {
			return fmt.Errorf("remove user: %w", storage.ErrNotFound)
		}
	}
	if c.Client != nil {
		if e.oldClient, err = e.checkClient(*c.Client); err != nil {
			return fmt.Errorf("change client: %w", err)
		}
	}
	if c.RemoveClient != "" {
		if e.oldClient = e.client(c.RemoveClient); e.oldClient == nil {
			return fmt.Errorf("remove client: %w", storage.ErrNotFound)
		}
	}
	if c.NewSession != nil {
		session := *c.NewSession
		e.lockState()
		if err := e.checkSession(&session); err != nil {
			return fmt.Errorf("begin session: %w", err)
		}
		c.NewSession = &session
	}
	if c.Factors != nil {
		f := *c.Factors
		if err := e.checkFactors(&f); err != nil {
			return fmt.Errorf("change factors: %w", err)
		}
		c.Factors = &f
	}
	for _, link := range c.Unlink {
		if i, ok := e.identity(link.Issuer, link.Subject); !ok || i.User != link.User {
			return fmt.Errorf("unlink: %w", storage.ErrNotFound)
		}
	}
	if c.RequireSession != "" {
		if _, ok := e.activeSession(`s.id = $1`, string(c.RequireSession), e.At); !ok {
			return fmt.Errorf("require session: %w", storage.ErrRevoked)
		}
	}
	return nil
}

// applyChange writes the change, which checkChange has checked.
func (e *endSessionsTx) applyChange() {
	c := e.change
	if !c.UseLink.IsZero() {
		e.exec(`DELETE FROM @one_time_links WHERE hash = $1`, c.UseLink[:])
	}
	if c.RemoveLinks != "" {
		e.removeLinks(c.RemoveLinks)
	}
	if c.Factors != nil {
		e.putFactors(*c.Factors)
	}
	for _, i := range c.Unlink {
		e.removeIdentity(i)
	}
	if c.ForgetBrowsers != "" {
		e.forgetBrowsers(c.ForgetBrowsers)
	}
	if c.User != nil {
		if e.oldUser.Subject != "" && e.oldUser.Password != c.User.Password {
			e.removeLinks(c.User.Subject) // an unused link could set yet another password
			e.forgetBrowsers(c.User.Subject)
		}
		e.putUser(*c.User)
	}
	if c.RemoveUser != "" {
		e.removeUser(c.RemoveUser)
	}
	if c.Client != nil {
		e.putClient(*c.Client, e.oldClient)
	}
	if c.RemoveClient != "" {
		e.removeClient(e.oldClient)
	}
	if c.WithdrawConsent != nil {
		e.exec(
			`DELETE FROM @consents WHERE subject = $1 AND client = $2`,
			c.WithdrawConsent.Subject, c.WithdrawConsent.Client,
		)
	}
	if c.NewSession != nil {
		e.addSession(*c.NewSession)
	}
	e.addMails(c.Mails)
	e.appendEvents(c.Events)
}
