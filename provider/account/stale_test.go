package account_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-id/curfew/provider"
	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
)

// TestAccountNamesSessionsEndedBefore: a button whose session, share or offline access ended since the page was
// opened, or was pressed twice, is not answered as if nothing had been chosen, nor as if it had just ended something.
func TestAccountNamesSessionsEndedBefore(t *testing.T) {
	for name, press := range map[string]func(p providertest.Page) url.Values{
		"sign out":    func(p providertest.Page) url.Values { return url.Values{"sign-out": {p.Buttons("sign-out")[1]}} },
		"not me":      func(p providertest.Page) url.Values { return url.Values{"not-me": {p.Buttons("not-me")[0]}} },
		"leave":       func(p providertest.Page) url.Values { return url.Values{"leave": {p.Buttons("leave")[0]}} },
		"end offline": func(p providertest.Page) url.Values { return url.Values{"end-offline": {p.Buttons("end-offline")[0]}} },
		"the others":  func(providertest.Page) url.Values { return url.Values{"scope": {"others"}} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := providertest.MustStart(t, nil)
				o.MustAddClient("atlas", nil)
				here, other := o.Browser(), o.Browser()
				here.MustJoin("alice", "atlas", "scope", "openid offline_access", "prompt", "consent")
				time.Sleep(time.Second)
				other.MustJoin("alice", "atlas")
				p := here.Get("/account")
				action, fields := p.Form(t)
				for k, v := range press(p) {
					fields[k] = v
				}
				first := here.Do(http.MethodPost, action, fields, nil)
				again := here.Post(action, fields)
				if to := first.Header.Get("Location"); first.Status != http.StatusSeeOther ||
					strings.Contains(to, "over") {
					t.Errorf("%s: got %d to %q, want it done", name, first.Status, to)
				}
				if again.Status != http.StatusOK ||
					!strings.Contains(again.Body, "That had already ended, so nothing has changed.") {
					t.Errorf("%s: got %d at %s without a word that it was over", name, again.Status, again.Path)
				}
				if name == "not me" && !strings.HasPrefix(again.Path, "/account/security") {
					t.Errorf(
						"got %s after a session that was not mine, want the page that changes the password",
						again.Path,
					)
				}
			})
		})
	}
}

// TestAccountPageThatWasOpenTooLongLeadsBack: no client sent anybody there.
func TestAccountPageThatWasOpenTooLongLeadsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("atlas", nil)
		b := o.Browser()
		b.MustJoin("alice", "atlas")
		for from, to := range map[string]string{"/account": "/account/sessions", "/account/applications": "/account/applications", "/account/security": "/account/password"} {
			_, fields := b.Get(from).Form(t)
			time.Sleep(time.Hour)
			fields.Set("scope", "all")
			p := b.Post(to, fields)
			if p.Status != http.StatusBadRequest || strings.Contains(p.Body, "the application") ||
				!strings.Contains(p.Body, `class="button" href="/account"`) {
				t.Errorf("%s: got %d, want the way back to the account:\n%s", to, p.Status, p.Body)
			}
		}
		if !b.SignedIn("atlas") {
			t.Error("got the session ended by a page that was too old")
		}
	})
}

// TestAccountSaysNoMoreThanHappened: a session without clients notifies none, an address that stays was not chosen,
// and a browser is named once.
func TestAccountSaysNoMoreThanHappened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, func(c *provider.Config) { c.Mail = providertest.DiscardMail{} })
		o.MustAddClient("atlas", nil)
		here, other := o.Browser(), o.Browser()
		here.MustJoin("alice", "atlas")
		other.MustJoin("alice", "atlas")
		if p := here.SubmitSecurity("/account/email", "email", "alice@example.org", "current-password", providertest.Password); !strings.Contains(
			p.Body,
			"This is your email address already.",
		) {
			t.Errorf("got %d at %s for the address that it was", p.Status, p.Path)
		}
		if p := here.Get("/account/applications"); strings.Count(p.Body, "Unknown browser") != 1 {
			t.Errorf("got the same browser named again:\n%s", p.Body)
		}
		// Its consent is withdrawn, but the administrator allows it for all users.
		here.MustJoin("alice", "atlas", "prompt", "consent")
		if p := here.Submit(here.Get("/account/applications"), "withdraw", "atlas"); !strings.Contains(
			p.Body,
			"The app’s access was removed.",
		) ||
			!here.SignedIn("atlas") {
			t.Errorf(
				"got %d at %s, want what was allowed ended and nothing said of what is allowed now",
				p.Status,
				p.Path,
			)
		}
		time.Sleep(time.Second)
		mustAddSession(o, 0)
		p := here.Get("/account")
		if p = here.Submit(p, "sign-out", storage.SessionHash("session-0000")); !strings.Contains(
			p.Body,
			"Signed out of that device.",
		) ||
			strings.Contains(p.Body, "being asked") {
			t.Errorf("got %d at %s, want no app asked to sign out", p.Status, p.Path)
		}
	})
}

// An unknown session name causes neither an internal error nor a termination in the audit trail.
func TestAccountRefusesUnknownSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("atlas", nil)
		o.MustAddClient("beacon", nil)
		b := o.Browser()
		b.MustJoin("alice", "atlas")
		p := b.Get("/account")
		_, fields := p.Form(t)
		session, left := p.Buttons("sign-out")[0], b.Cookies["__Host-curfew-left"]
		for _, client := range []string{"", "beacon", "nobody", "a\x00b", "a\xff", strings.Repeat("x", 40000)} {
			for to, form := range map[string]url.Values{"/account/applications": {"withdraw": {client}}, "/account/sessions": {"leave": {session + " " + client}}} {
				form.Set("interaction", fields.Get("interaction"))
				if p := b.Post(to, form); p.Status != http.StatusOK ||
					!strings.Contains(p.Body, "nothing has changed") {
					t.Errorf("got %d at %s for %.10q, want nothing ended", p.Status, p.Path, client)
				}
			}
		}
		if b.Cookies["__Host-curfew-left"] != left || !b.SignedIn("atlas") {
			t.Error("got an application left")
		}
	})
}
