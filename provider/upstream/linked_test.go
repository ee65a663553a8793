package upstream_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
)

// press sends the form of the button with that name and value, on a page of the account.
func (v *visitor) press(n *node, p providertest.Page, action, name, value string) providertest.Page {
	v.t.Helper()
	if !slices.Contains(p.Buttons(name), value) {
		v.t.Fatalf("got no button %s=%s at %s (status %d)", name, value, p.Path, p.Status)
	}
	_, fields := p.Form(v.t)
	form := url.Values{"interaction": fields["interaction"], name: {value}}
	return v.do(http.MethodPost, n.issuer+action, form)
}

// TestUserLinksAndUnlinksAnAccount does so on the account page, with a session by password and one by the account.
func TestUserLinksAndUnlinksAnAccount(t *testing.T) {
	nodes, a := mustPair(t, func(u *policy.Upstream) { u.TrustEmail, u.Create = false, policy.CreateUsersOff })
	bottom := nodes[1]
	v := newVisitor(t, nodes)
	bottom.mustRedeem(t, a, v.submit(v.open(bottom.authorizeURL(a)), "username", "alice", "password", password))
	factors := bottom.issuer + "/account/factors"
	p := v.press(bottom, v.open(factors), "/account/factors/link", "link", "top")
	p = v.submit(p, "username", "alice", "password", password)
	if !strings.HasPrefix(p.Path, factors) || !strings.Contains(p.Body, "The account is linked") {
		t.Fatalf("got %d at %s, want the account page with a notice", p.Status, p.Path)
	}
	other := newVisitor(t, nodes)
	claims := bottom.mustRedeem(t, a, other.atUpstream(nodes, a))
	if claims["sub"] != "sub-alice" {
		t.Fatalf("got sub %v with the linked account, want sub-alice", claims["sub"])
	}
	p = v.open(factors)
	keys := p.Buttons("unlink")
	if len(keys) != 1 {
		t.Fatalf("got %d linked accounts on the page, want 1", len(keys))
	}
	p = v.press(bottom, p, "/account/factors/unlink", "unlink", keys[0])
	if !strings.Contains(p.Body, "no longer linked") {
		t.Fatalf("got %d at %s, want the account page with a notice", p.Status, p.Path)
	}
	a.mustBeLoggedOut(t, claims["sid"])
	mustHaveSessions(t, 1, bottom) // the one by password
	if p := newVisitor(t, nodes).atUpstream(nodes, a); !strings.Contains(p.Body, "isn’t linked") {
		t.Errorf("got %d at %s with the unlinked account, want the sign-in page", p.Status, p.Path)
	}
	for _, kind := range []string{"user.factor_added", "user.factor_removed"} {
		if got := len(bottom.mustEvents(t, storage.EventFilter{Kind: kind})); got != 1 {
			t.Errorf("got %d audit lines %s, want 1", got, kind)
		}
	}
}

// mustEvents lists audit lines.
func (n *node) mustEvents(t *testing.T, f storage.EventFilter) []storage.Event {
	t.Helper()
	events, _, err := n.Store.ListEvents(t.Context(), f, storage.Page{})
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// TestAccountOfAnotherUserIsNotLinked links an account that belongs to another user here.
func TestAccountOfAnotherUserIsNotLinked(t *testing.T) {
	nodes, a := mustPair(t, nil)
	bottom := nodes[1]
	bottom.MustAddUser("bob")
	bottom.mustRedeem(t, a, newVisitor(t, nodes).atUpstream(nodes, a)) // links alice
	v := newVisitor(t, nodes)
	bottom.mustRedeem(t, a, v.submit(v.open(bottom.authorizeURL(a)), "username", "bob", "password", password))
	p := v.press(bottom, v.open(bottom.issuer+"/account/factors"), "/account/factors/link", "link", "top")
	p = v.submit(p, "username", "alice", "password", password)
	if !strings.Contains(p.Body, "linked to someone else") {
		t.Errorf("got %d at %s, want the account page with a notice", p.Status, p.Path)
	}
	identity, err := bottom.Store.ListIdentities(t.Context(), "sub-bob")
	if err != nil || len(identity) != 0 {
		t.Errorf("got %d accounts of bob, %v, want none", len(identity), err)
	}
}

// TestLastWayToSignInIsNotUnlinked unlinks the account of a user who has nothing else.
func TestLastWayToSignInIsNotUnlinked(t *testing.T) {
	nodes, a := mustPair(t, nil)
	bottom := nodes[1]
	v := newVisitor(t, nodes)
	bottom.mustRedeem(t, a, v.atUpstream(nodes, a))
	bottom.mustChangeUser(t, func(u *storage.User) { u.Password = "" })
	p := v.open(bottom.issuer + "/account/factors")
	p = v.press(bottom, p, "/account/factors/unlink", "unlink", p.Buttons("unlink")[0])
	if p.Status != http.StatusUnprocessableEntity {
		t.Errorf("got %d at %s, want 422", p.Status, p.Path)
	}
	if identities, err := bottom.Store.ListIdentities(t.Context(), "sub-alice"); err != nil || len(identities) != 1 {
		t.Errorf("got %d linked accounts, %v, want 1", len(identities), err)
	}
}
