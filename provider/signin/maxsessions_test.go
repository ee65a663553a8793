package signin_test

import (
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/provider"
	"github.com/curfew-id/curfew/provider/providertest"
)

// TestSessionsOfOneUserAreLimited: who knows one password cannot fill the store with sessions. At the limit the page
// says so, and the user can end the sessions that were used least recently.
func TestSessionsOfOneUserAreLimited(t *testing.T) {
	o := providertest.MustStart(t, func(c *provider.Config) { c.Session.MaxPerUser = 3 })
	o.MustAddClient("shop", nil)
	o.MustAddUser("bob")
	first := o.Browser()
	first.MustSignIn("alice", "shop")
	for range 2 {
		o.Browser().MustSignIn("alice", "shop")
	}
	b := o.Browser()
	p := b.Submit(b.Get(providertest.AuthorizeURL("shop")), "username", "alice", "password", providertest.Password)
	if !strings.Contains(p.Body, "too many places") || !strings.Contains(p.Body, `id="end-oldest"`) {
		t.Fatalf("got %d %s, want the limit and a way out", p.Status, p.Body)
	}
	if !first.SignedIn("shop") {
		t.Error("a refused sign-in ended a session")
	}
	p = b.Submit(p, "username", "alice", "password", providertest.Password, "end-oldest", "on")
	if p.ResponseParams(t).Get("code") == "" || first.SignedIn("shop") {
		t.Errorf("got %d %q, want a sign-in in place of the oldest session", p.Status, p.Header.Get("Location"))
	}
	b.MustSignIn("alice", "shop", "prompt", "login") // renews its own session
	o.Browser().MustSignIn("bob", "shop")
}

// TestLimitOfSessionsIsDecidedBeforeTheSecondFactor: a user with a second factor gets the choice with the password.
// The password alone ends no session.
func TestLimitOfSessionsIsDecidedBeforeTheSecondFactor(t *testing.T) {
	inBubble(t, func(c *provider.Config) { c.Session.MaxPerUser = 2 }, func(t *testing.T, f *providertest.Fixture) {
		oldest := f.Browser()
		oldest.MustSignIn("alice", "atlas")
		time.Sleep(10 * time.Second) // less than storage.ActivityStep, so that no later use is stored
		second := f.Browser()
		second.MustSignIn("alice", "atlas")
		secret, _ := mustEnrol(t, second)

		b := f.Browser()
		page := mustSendPassword(b)
		if !strings.Contains(page.Body, `id="end-oldest"`) || strings.Contains(page.Body, "one-time-code") {
			t.Fatalf("got %d, want the limit and a way out:\n%s", page.Status, page.Body)
		}
		page = b.Submit(page, "username", "alice", "password", providertest.Password, "end-oldest", "on")
		if !strings.Contains(page.Body, "one-time-code") {
			t.Fatalf("got %d, want the page that asks for a code:\n%s", page.Status, page.Body)
		}
		if !oldest.SignedIn("atlas") {
			t.Error("the password alone ended a session")
		}
		time.Sleep(time.Second)
		response := b.Submit(page, "code", mustCode(t, secret, time.Now()))
		if response.ResponseParams(t).Get("code") == "" {
			t.Fatalf("got %d for a correct code:\n%s", response.Status, response.Body)
		}
		if oldest.SignedIn("atlas") {
			t.Error("the session that was used least recently is still active")
		}
	})
}
