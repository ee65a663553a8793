package oauth_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/curfew-id/curfew/storage"
)

func TestRevokingARefreshTokenEndsAllItLedTo(t *testing.T) {
	for _, scope := range []string{"openid", "openid offline_access"} {
		g := newRig(t)
		g.mustClient("shop", nil)
		s, a := g.mustTokens("shop", scope)
		other := g.redeem("shop", g.mustCode(s, "shop", "openid", nil))
		next := g.refresh("shop", a.text("refresh_token"))
		g.clock.Advance(time.Second)
		// Even the one that was exchanged names its family.
		got := g.postAs("shop", g.http.Revoke, "token", a.text("refresh_token"), "token_type_hint", "access_token")
		if got.status != http.StatusOK || got.body != "" {
			t.Fatalf("%d %q", got.status, got.body)
		}
		g.mustActive("shop", a.text("access_token"), false)
		g.mustActive("shop", next.text("access_token"), false)
		g.mustActive("shop", next.text("refresh_token"), false)
		g.mustRefuse(g.refresh("shop", next.text("refresh_token")), 400, "invalid_grant")
		g.mustActive("shop", other.text("access_token"), true)
		events, _, err := g.store.ListEvents(
			t.Context(),
			storage.EventFilter{Reason: storage.ReasonTokenRevoked},
			storage.Page{},
		)
		if err != nil || len(events) != 1 || events[0].By != "client:shop" {
			t.Errorf("audit lines: %+v, %v", events, err)
		}
	}
}

func TestRevokingAnAccessTokenLeavesTheRest(t *testing.T) {
	for _, format := range []string{"opaque", "jwt"} {
		g := newRig(t)
		g.mustClient("shop", func(c *storage.Client) { c.AccessTokenFormat = format })
		_, a := g.mustTokens("shop", "openid")
		next := g.refresh("shop", a.text("refresh_token"))
		for range 2 { // the second time it is unknown
			if got := g.postAs("shop", g.http.Revoke, "token", a.text("access_token"), "token_type_hint", "nonsense"); got.status != http.StatusOK {
				t.Fatalf("%s: %d %s", format, got.status, got.body)
			}
		}
		g.mustActive("shop", a.text("access_token"), false)
		if got := g.userInfo(a.text("access_token")); got.status != http.StatusUnauthorized {
			t.Errorf("%s: userinfo %d", format, got.status)
		}
		g.mustActive("shop", next.text("access_token"), true)
		if got := g.refresh("shop", next.text("refresh_token")); got.status != http.StatusOK {
			t.Errorf("%s: refresh %d %s", format, got.status, got.body)
		}
	}
}

func TestClientCannotRevokeTheTokensOfOthers(t *testing.T) {
	for _, format := range []string{"opaque", "jwt"} {
		g := newRig(t)
		g.mustClient("shop", func(c *storage.Client) { c.AccessTokenFormat = format })
		g.mustClient("thief", nil)
		g.mustClient("public", func(c *storage.Client) { c.TokenEndpointAuthMethod = "none" })
		_, a := g.mustTokens("shop", "openid")
		for _, token := range []string{a.text("access_token"), a.text("refresh_token")} {
			g.mustRefuse(g.postAs("thief", g.http.Revoke, "token", token), 400, "invalid_grant")
			g.mustRefuse(g.postAs("", g.http.Revoke, "token", token, "client_id", "public"), 400, "invalid_grant")
			g.mustActive("shop", token, true)
		}
	}
}

func TestUnknownTokensAreRevokedAsTheyShouldBe(t *testing.T) {
	g := newRig(t)
	g.mustClient("shop", nil)
	before := g.store.Commits()
	for _, token := range []string{"x", "cat_x", "crt_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "a.b.c"} {
		if got := g.postAs("shop", g.http.Revoke, "token", token); got.status != http.StatusOK {
			t.Errorf("%q: %d %s", token, got.status, got.body)
		}
	}
	if n := g.store.Commits() - before; n != 0 {
		t.Errorf("they made %d commits", n)
	}
}
