package oauth_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/curfew-id/curfew/storage"
)

func TestIntrospectionAnswersOwnersAndListedClientsOnly(t *testing.T) {
	for _, format := range []string{"opaque", "jwt"} {
		g := newRig(t)
		g.mustClient(
			"shop",
			func(c *storage.Client) {
				c.AccessTokenFormat, c.Audience, c.Introspect = format, []string{"https://api.example"}, []string{"api", "other-api"}
			},
		)
		g.mustClient("api", nil)
		g.mustClient("stranger", nil)
		s, a := g.mustTokens("shop", "openid profile")
		member := mustMember(t, g, s, "shop")
		token := a.text("access_token")
		for _, caller := range []string{"shop", "api"} {
			seen := g.mustActive(caller, token, true)
			for name, want := range map[string]any{
				"scope":      "openid profile",
				"client_id":  "shop",
				"token_type": "Bearer",
				"sub":        "alice",
				"iss":        issuer,
				"sid":        member.SID,
				"acr":        "1",
				"auth_time":  float64(s.AuthTime.Unix()),
				"iat":        float64(g.clock.Now().Unix()),
			} {
				if seen.data[name] != want {
					t.Errorf("%s (%s) sees %s %v, want %v", caller, format, name, seen.data[name], want)
				}
			}
			if seen.header.Get("Cache-Control") != "no-store" {
				t.Errorf("headers: %v", seen.header)
			}
		}
		g.mustActive("stranger", token, false)
		// A refresh token is shown to its own client only.
		if seen := g.mustActive("shop", a.text("refresh_token"), true); seen.data["token_type"] != nil ||
			seen.text("sid") != member.SID {
			t.Errorf("refresh token: %s", seen.body)
		}
		g.mustActive("api", a.text("refresh_token"), false)
		g.refresh("shop", a.text("refresh_token"))
		g.mustActive("shop", a.text("refresh_token"), false)
	}
}

func TestIntrospectionCommitsNothing(t *testing.T) {
	g := newRig(t)
	g.mustClient("shop", nil)
	_, a := g.mustTokens("shop", "openid")
	before := g.store.Commits()
	g.mustActive("shop", a.text("access_token"), true)
	g.userInfo(a.text("access_token"))
	if n := g.store.Commits() - before; n != 0 {
		t.Errorf("%d commits, want 0", n)
	}
}

func TestCodeFlowAndRefreshAreOneCommitEach(t *testing.T) {
	for _, format := range []string{"opaque", "jwt"} {
		g := newRig(t)
		g.mustClient("shop", func(c *storage.Client) { c.AccessTokenFormat = format })
		code := g.mustCode(g.mustSession("alice"), "shop", "openid", nil)
		before := g.store.Commits()
		a := g.redeem("shop", code)
		if n := g.store.Commits() - before; n != 1 {
			t.Errorf("code (%s): %d commits, want 1", format, n)
		}
		before = g.store.Commits()
		g.refresh("shop", a.text("refresh_token"))
		if n := g.store.Commits() - before; n != 1 {
			t.Errorf("refresh (%s): %d commits, want 1", format, n)
		}
		before = g.store.Commits()
		own := g.postAs("shop", g.http.Token, "grant_type", "client_credentials")
		if n := g.store.Commits() - before; own.status != http.StatusOK || (format == "jwt") != (n == 0) {
			t.Errorf("client_credentials (%s): %d, %d commits", format, own.status, n)
		}
	}
}

func TestClientsOwnTokens(t *testing.T) {
	for _, format := range []string{"opaque", "jwt"} {
		g := newRig(t)
		g.mustClient("worker", func(c *storage.Client) {
			c.AccessTokenFormat, c.Scope, c.Introspect = format, "openid read write", []string{"api"}
		})
		g.mustClient("api", nil)
		g.mustClient("alice2", nil)
		all := g.postAs("worker", g.http.Token, "grant_type", "client_credentials")
		if all.text("scope") != "read write" || all.text("refresh_token") != "" || all.text("id_token") != "" {
			t.Fatalf("%s: %s", format, all.body)
		}
		one := g.postAs("worker", g.http.Token, "grant_type", "client_credentials", "scope", "read")
		seen := g.mustActive("api", one.text("access_token"), true)
		if seen.text("scope") != "read" || seen.text("sub") != "worker" || seen.text("client_id") != "worker" ||
			seen.data["sid"] != nil ||
			seen.data["auth_time"] != nil {
			t.Errorf("%s: %s", format, seen.body)
		}
		for _, scope := range []string{"admin", "openid", "offline_access", "read admin"} {
			g.mustRefuse(
				g.postAs("worker", g.http.Token, "grant_type", "client_credentials", "scope", scope),
				400,
				"invalid_scope",
			)
		}
		if a := g.postAs("worker", g.http.Revoke, "token", one.text("access_token")); a.status != http.StatusOK {
			t.Errorf("%s: revoke: %d %s", format, a.status, a.body)
		}
		g.mustActive("api", one.text("access_token"), false)
		g.mustActive("api", all.text("access_token"), true)
	}
}

func TestClientNamedLikeAUserGetsNoTokenOfItsOwn(t *testing.T) {
	g := newRig(t)
	g.mustClient("alice", nil)
	g.mustRefuse(g.postAs("alice", g.http.Token, "grant_type", "client_credentials"), 400, "unauthorized_client")
}

func TestClientsOwnTokensEndWithTheClient(t *testing.T) {
	for _, format := range []string{"opaque", "jwt"} {
		g := newRig(t)
		g.mustClient("watch", nil)
		g.mustClient("worker", func(c *storage.Client) { c.AccessTokenFormat, c.Introspect = format, []string{"watch"} })
		own := g.postAs("worker", g.http.Token, "grant_type", "client_credentials").text("access_token")
		g.clock.Advance(time.Second)
		g.endSessions(storage.Selector{Client: "worker", IncludeOffline: true})
		g.mustActive("watch", own, false)
		g.clock.Advance(time.Second)
		g.mustActive(
			"watch",
			g.postAs("worker", g.http.Token, "grant_type", "client_credentials").text("access_token"),
			true,
		)
	}
}

// Another client of the same name is another client.
func TestTokensDoNotPassToAClientThatComesLater(t *testing.T) {
	for _, format := range []string{"opaque", "jwt"} {
		g := newRig(t)
		g.mustClient("watch", nil)
		named := func(c *storage.Client) { c.AccessTokenFormat, c.Introspect = format, []string{"watch"} }
		g.mustClient("worker", named)
		own := g.postAs("worker", g.http.Token, "grant_type", "client_credentials").text("access_token")
		g.mustActive("watch", own, true)
		g.clock.Advance(time.Second)
		if _, err := g.server.Terminator.End(t.Context(), storage.EndRequest{
			Selector: storage.Selector{Client: "worker"},
			Cause:    storage.Cause{Reason: storage.ReasonClientRemoved},
			Change:   storage.Change{RemoveClient: "worker"},
		}); err != nil {
			t.Fatal(err)
		}
		g.mustActive("watch", own, false)
		g.clock.Advance(time.Second)
		g.mustClient("worker", named)
		g.mustActive("watch", own, false)
	}
}
