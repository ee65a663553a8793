package oauth_test

import (
	"testing"

	"github.com/curfew-id/curfew/storage"
)

// TestScopeClaimsStandInTheIDTokenOnlyWhereTheClientWantsThem: Core §5.4 has them at userinfo; some clients never ask
// there.
func TestScopeClaimsStandInTheIDTokenOnlyWhereTheClientWantsThem(t *testing.T) {
	g := newRig(t)
	g.mustClient("plain", nil)
	g.mustClient("dex", func(c *storage.Client) { c.IDTokenClaims = "scope" })
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
