package upstream_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
)

const password = providertest.Password

// mustPair starts an upstream and a provider behind it, with an app.
func mustPair(t *testing.T, configure func(*policy.Upstream)) (nodes []*node, a *app) {
	t.Helper()
	nodes = mustListen(t, "top", "bottom")
	nodes[0].mustStart(t, nil, nil)
	nodes[1].mustStart(t, nodes[:1], configure)
	nodes[0].mustAddDownstream(nodes[1], nil)
	return nodes, nodes[1].mustAddApp(t, "shop")
}

// atUpstream signs alice in at the upstream and returns the page to which that leads.
func (v *visitor) atUpstream(nodes []*node, a *app, more ...string) providertest.Page {
	v.t.Helper()
	p := v.click(v.open(nodes[1].authorizeURL(a, more...)), "upstream-top")
	if strings.HasPrefix(p.Path, nodes[0].issuer) && strings.Contains(p.Body, `id="password"`) {
		p = v.submit(p, "username", "alice", "password", password)
	}
	return p
}

// TestAccountIsLinkedAfterSigningInOnce comes with an account that no user has, and signs in by password.
func TestAccountIsLinkedAfterSigningInOnce(t *testing.T) {
	nodes, a := mustPair(t, func(u *policy.Upstream) { u.Create, u.TrustEmail = policy.CreateUsersOff, false })
	v := newVisitor(t, nodes)
	p := v.atUpstream(nodes, a)
	if !strings.Contains(p.Body, "isn’t linked") {
		t.Fatalf("got %d at %s, want the sign-in page with a notice", p.Status, p.Path)
	}
	mustHaveSessions(t, 0, nodes[1])
	claims := nodes[1].mustRedeem(t, a, v.submit(p, "username", "alice", "password", password))
	if claims["sub"] != "sub-alice" {
		t.Errorf("got sub %v, want the user who signed in", claims["sub"])
	}
	identities, err := nodes[1].Store.ListIdentities(t.Context(), "sub-alice")
	if err != nil || len(identities) != 1 {
		t.Fatalf("got %d linked accounts, %v, want 1", len(identities), err)
	}
	if again := nodes[1].mustRedeem(t, a, newVisitor(t, nodes).atUpstream(nodes, a)); again["sub"] != "sub-alice" {
		t.Errorf("got sub %v with the linked account, want sub-alice", again["sub"])
	}
}

// TestAddressLinksOnlyWhereTheOperatorTrustsIt has the same verified address at both providers.
func TestAddressLinksOnlyWhereTheOperatorTrustsIt(t *testing.T) {
	for _, c := range []struct {
		name       string
		trust      bool
		unverified string // where the address is not verified
		want       bool
	}{
		{"trusted", true, "", true},
		{"not trusted", false, "", false},
		{"not verified at the upstream", true, "top", false},
		{"not verified here", true, "bottom", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			nodes, a := mustPair(t, func(u *policy.Upstream) {
				u.TrustEmail, u.Create = c.trust, policy.CreateUsersOff
			})
			for _, n := range nodes {
				if n.id == c.unverified {
					n.mustChangeUser(t, func(u *storage.User) { u.EmailVerified = false })
				}
			}
			p := newVisitor(t, nodes).atUpstream(nodes, a)
			if got := p.Status == http.StatusSeeOther; got != c.want {
				t.Fatalf("got signed in: %v, want %v (%s)", got, c.want, p.Path)
			}
			if c.want {
				if claims := nodes[1].mustRedeem(t, a, p); claims["sub"] != "sub-alice" {
					t.Errorf("got sub %v, want sub-alice", claims["sub"])
				}
			}
		})
	}
}

// mustChangeUser changes alice.
func (n *node) mustChangeUser(t *testing.T, change func(*storage.User)) {
	t.Helper()
	u, err := n.Store.User(t.Context(), "sub-alice")
	if err != nil {
		t.Fatal(err)
	}
	change(&u)
	if err := n.Store.PutUser(t.Context(), u); err != nil {
		t.Fatal(err)
	}
}

// TestNewUserTakesNoNameOfAnother creates a user from an account whose name belongs to a user here.
func TestNewUserTakesNoNameOfAnother(t *testing.T) {
	nodes, a := mustPair(t, func(u *policy.Upstream) { u.TrustEmail = false })
	p := newVisitor(t, nodes).atUpstream(nodes, a)
	if !strings.Contains(p.Body, "isn’t linked") {
		t.Fatalf("got %d at %s, want the page that asks to sign in once", p.Status, p.Path)
	}
	users, _, err := nodes[1].Store.ListUsers(t.Context(), storage.Page{})
	if err != nil || len(users) != 1 {
		t.Errorf("got %d users, %v, want alice alone", len(users), err)
	}
	nodes[1].mustChangeUser(t, func(u *storage.User) { u.Name, u.Email = "alexandra", "alexandra@example.org" })
	claims := nodes[1].mustRedeem(t, a, newVisitor(t, nodes).atUpstream(nodes, a))
	u, err := nodes[1].Store.User(t.Context(), text(claims["sub"]))
	if err != nil || u.Name != "alice" || u.Claims["name"] != "Alice" || u.Password != "" {
		t.Errorf("got the user %+v, %v, want a new alice without a password", u, err)
	}
}

// TestUsersAreCreatedByRuleOnly tries each value of create_users.
func TestUsersAreCreatedByRuleOnly(t *testing.T) {
	for _, c := range []struct {
		create  string
		domains []string
		want    bool
	}{
		{policy.CreateUsersOff, nil, false},
		{policy.CreateUsersAny, nil, true},
		{policy.CreateUsersDomains, []string{"example.org"}, true},
		{policy.CreateUsersDomains, []string{"example.net"}, false},
	} {
		nodes, a := mustPair(t, func(u *policy.Upstream) { u.Create, u.Domains = c.create, c.domains })
		nodes[1].mustChangeUser(t, func(u *storage.User) { u.Name, u.Email = "alexandra", "alexandra@example.org" })
		p := newVisitor(t, nodes).atUpstream(nodes, a)
		if got := p.Status == http.StatusSeeOther; got != c.want {
			t.Errorf("%s %v: got signed in: %v, want %v", c.create, c.domains, got, c.want)
		}
	}
}

// TestDisabledUserDoesNotSignInByAnUpstream disables the user of a linked account.
func TestDisabledUserDoesNotSignInByAnUpstream(t *testing.T) {
	nodes, a := mustPair(t, nil)
	nodes[1].mustRedeem(t, a, newVisitor(t, nodes).atUpstream(nodes, a))
	nodes[1].MustAdmin(http.MethodPost, "/users/alice/disable", "")
	p := newVisitor(t, nodes).atUpstream(nodes, a)
	if !strings.Contains(p.Body, "didn’t work") {
		t.Errorf("got %d at %s, want the sign-in page with a problem", p.Status, p.Path)
	}
	mustHaveSessions(t, 0, nodes[1])
}

// TestBrokenUpstreamLeavesOtherWaysToSignIn stops the upstream.
func TestBrokenUpstreamLeavesOtherWaysToSignIn(t *testing.T) {
	nodes, a := mustPair(t, nil)
	nodes[0].intercept(func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusInternalServerError)
		return true
	})
	v := newVisitor(t, nodes)
	p := v.click(v.open(nodes[1].authorizeURL(a)), "upstream-top")
	if !strings.Contains(p.Body, "Provider top can’t be reached") {
		t.Fatalf("got %d at %s, want the sign-in page with a problem", p.Status, p.Path)
	}
	claims := nodes[1].mustRedeem(t, a, v.submit(p, "username", "alice", "password", password))
	if claims["sub"] != "sub-alice" {
		t.Errorf("got sub %v, want sub-alice", claims["sub"])
	}
	if p := v.open(nodes[1].issuer + "/upstream/unknown/callback?state=x"); p.Status != http.StatusNotFound {
		t.Errorf("got %d for an unknown upstream, want 404", p.Status)
	}
}

// TestUpstreamSecondFactorCountsOnlyWhereTheOperatorSaysSo requires two factors here.
func TestUpstreamSecondFactorCountsOnlyWhereTheOperatorSaysSo(t *testing.T) {
	for _, counts := range []bool{false, true} {
		nodes, a := mustPair(t, func(u *policy.Upstream) {
			u.TrustEmail = true
			if counts {
				u.ACR, u.AMR = map[string]string{"1": "mfa"}, []string{"pwd"}
			}
		})
		nodes[1].MustChangeClient("shop", func(c *storage.Client) { c.RequireAuthn = "mfa" })
		p := newVisitor(t, nodes).atUpstream(nodes, a)
		if got := p.Status == http.StatusSeeOther; got != counts {
			t.Errorf("counts %v: got signed in: %v (%s)", counts, got, p.Path)
		}
		if counts {
			claims := nodes[1].mustRedeem(t, a, p)
			if claims["acr"] != "mfa" || text(claims["amr"]) != "[pwd mfa]" {
				t.Errorf("got acr %v and amr %v, want mfa and [pwd mfa]", claims["acr"], claims["amr"])
			}
		}
	}
}

// TestNewSignInIsAskedOfTheUpstreamToo sends prompt=login in a browser that is signed in at both.
func TestNewSignInIsAskedOfTheUpstreamToo(t *testing.T) {
	nodes, a := mustPair(t, func(u *policy.Upstream) { u.TrustEmail = true })
	v := newVisitor(t, nodes)
	nodes[1].mustRedeem(t, a, v.atUpstream(nodes, a))
	p := v.click(v.open(nodes[1].authorizeURL(a, "prompt", "login")), "upstream-top")
	if !strings.HasPrefix(p.Path, nodes[0].issuer) || !strings.Contains(p.Body, `id="password"`) {
		t.Fatalf("got %d at %s, want the upstream to ask for the password", p.Status, p.Path)
	}
	nodes[1].mustRedeem(t, a, v.submit(p, "username", "alice", "password", password))
	mustHaveSessions(t, 1, nodes[1])
}
