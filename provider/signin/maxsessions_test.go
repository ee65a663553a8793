package signin_test

import (
	"strings"
	"testing"

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
