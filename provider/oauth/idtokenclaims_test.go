package oauth_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/curfew-id/curfew/storage"
)

// TestScopeClaimsStandInTheIDTokenOnlyWhereTheClientWantsThem: Core §5.4 has them at userinfo; some clients never ask
// there.
func TestScopeClaimsStandInTheIDTokenOnlyWhereTheClientWantsThem(t *testing.T) {
	g := newRig(t)
	g.mustClient("plain", nil)
	g.mustClient("dex", func(c *storage.Client) { c.IDTokenClaims = storage.ClaimRules{storage.AllScopeClaims: {}} })
	for client, want := range map[string]any{"plain": nil, "dex": "alice@example.com"} {
		_, a := g.mustTokens(client, "openid email")
		refreshed := g.refresh(client, a.text("refresh_token"))
		for at, token := range map[string]string{"code": a.text("id_token"), "refresh": refreshed.text("id_token")} {
			claims := g.claims(token)
			if claims["email"] != want || claims["name"] != nil || claims["sub"] != "alice" {
				t.Errorf("%s, %s: got %v, want the e-mail address %v and no name", client, at, claims, want)
			}
		}
	}
}

// TestAccessTokenWithTypJWTIsOne: for resource servers that refuse at+jwt. It is still no ID token, and an ID token
// is no access token.
func TestAccessTokenWithTypJWTIsOne(t *testing.T) {
	g := newRig(t)
	g.mustClient("spring", func(c *storage.Client) { c.AccessTokenFormat, c.AccessTokenTyp = "jwt", "JWT" })
	_, a := g.mustTokens("spring", "openid")
	if typ := g.header(a.text("access_token"))["typ"]; typ != "JWT" {
		t.Errorf("got typ %v, want JWT", typ)
	}
	if got := g.userInfo(a.text("access_token")); got.status != 200 {
		t.Errorf("userinfo with the access token: got %d %s", got.status, got.body)
	}
	g.mustActive("spring", a.text("access_token"), true)
	g.mustActive("spring", a.text("id_token"), false)
	if got := g.userInfo(a.text("id_token")); got.status != 401 {
		t.Errorf("userinfo with the ID token: got %d %s", got.status, got.body)
	}
	if hint, err := g.ring.VerifyHint(a.text("access_token")); err == nil {
		t.Errorf("the access token passes for an ID token hint: %+v", hint)
	}
}

// TestClaimRulesSayWhichClaimsGoWhere: renamed, constant, as a list or as a string; and no claim of a scope that was
// not granted.
func TestClaimRulesSayWhichClaimsGoWhere(t *testing.T) {
	g := newRig(t)
	u, err := g.store.User(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	u.Groups = []string{"admins", "staff"}
	if err := g.store.PutUser(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	g.mustClient("app", func(c *storage.Client) {
		c.AccessTokenFormat = "jwt"
		c.IDTokenClaims = storage.ClaimRules{
			"roles":  {From: "groups"},
			"tenant": {Value: "acme"},
			"mail":   {From: "email"}, // its scope is not granted
		}
		c.UserinfoClaims = storage.ClaimRules{"role": {From: "groups", As: "string"}}
		c.AccessTokenClaims = storage.ClaimRules{"groups": {}, "tenants": {Value: "acme", As: "list"}}
	})
	_, a := g.mustTokens("app", "openid groups")
	refreshed := g.refresh("app", a.text("refresh_token"))
	for at, answer := range map[string]interface{ text(string) string }{"code": a, "refresh": refreshed} {
		idToken, accessToken := g.claims(answer.text("id_token")), g.claims(answer.text("access_token"))
		if fmt.Sprint(idToken["roles"]) != "[admins staff]" || idToken["tenant"] != "acme" ||
			idToken["mail"] != nil || idToken["groups"] != nil {
			t.Errorf("%s: got ID token %v", at, idToken)
		}
		if fmt.Sprint(accessToken["groups"]) != "[admins staff]" || fmt.Sprint(accessToken["tenants"]) != "[acme]" ||
			accessToken["sub"] != "alice" || accessToken["roles"] != nil {
			t.Errorf("%s: got access token %v", at, accessToken)
		}
	}
	if got := g.userInfo(a.text("access_token")); !strings.Contains(got.body, `"role":"admins,staff"`) ||
		!strings.Contains(got.body, `"groups":["admins","staff"]`) {
		t.Errorf("got userinfo %s", got.body)
	}
	// A resource server learns the claims of an opaque token by introspection, and those of a JWT there too.
	g.mustClient("opaque", func(c *storage.Client) {
		c.AccessTokenClaims = storage.ClaimRules{"groups": {}, "tenant": {Value: "acme"}, "mail": {From: "email"}}
	})
	_, opaque := g.mustTokens("opaque", "openid groups")
	for client, token := range map[string]string{"opaque": opaque.text("access_token"), "app": a.text("access_token")} {
		if got := g.mustActive(client, token, true).body; !strings.Contains(got, `"groups":["admins","staff"]`) ||
			!strings.Contains(got, `"active":true`) || strings.Contains(got, `"mail"`) {
			t.Errorf("%s: got introspection %s, want the claims of access tokens", client, got)
		}
	}
	_, lean := g.mustTokens("app", "openid")
	if claims := g.claims(lean.text("access_token")); claims["groups"] != nil {
		t.Errorf("got groups without the scope: %v", claims)
	}
}
