package bolt

import (
	"fmt"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// change.go applies what is written in the transaction of an ending.

// checkChange tells whether c may be applied, and normalises it. Nothing is written before all of it has passed.
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
	if c.RemoveClient != "" && t.memory.clients[c.RemoveClient] == nil {
		return fmt.Errorf("remove client: %w", storage.ErrNotFound)
	}
	if c.Session != nil {
		n := *c.Session
		if err := t.checkSession(&n); err != nil {
			return fmt.Errorf("begin session: %w", err)
		}
		if t.fencedOff(n) {
			return fmt.Errorf("begin session: %w", storage.ErrEnded)
		}
		c.Session = &n
	}
	if !c.Link.IsZero() {
		if _, ok := t.link(c.Link, at); !ok {
			return fmt.Errorf("use link: %w", storage.ErrSpent)
		}
	}
	return nil
}

// apply writes c, which was checked.
func (t *tx) apply(c storage.Change, at time.Time) {
	if !c.Link.IsZero() {
		if l, ok := t.link(c.Link, at); ok {
			t.removeLink(l)
		}
	}
	if c.User != nil {
		if old, ok := t.user(c.User.Subject); ok && old.Password != c.User.Password {
			t.removeLinks(c.User.Subject) // whoever can still set another password knows an older secret
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
	if c.Withdraw != nil {
		t.removeConsent(c.Withdraw.Subject, c.Withdraw.Client)
	}
	if c.Session != nil {
		t.addSession(*c.Session)
	}
	t.appendEvents(c.Events)
}
