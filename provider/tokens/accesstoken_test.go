package tokens_test

import (
	"testing"
	"time"

	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/tokens"
	"github.com/curfew-id/curfew/storage"
)

func TestJWTAccessTokenIsAsRFC9068Says(t *testing.T) {
	g := newRig(t)
	c := g.mustClient(func(c *storage.Client) { c.AccessTokenFormat, c.Audience = "jwt", []string{"api", "reports"} })
	a, r := g.mustExchange(c, "openid profile")
	header, claims := g.mustRead(a.AccessToken)
	if header["typ"] != "at+jwt" || header["alg"] != "ES256" {
		t.Errorf("header %v", header)
	}
	for name, want := range map[string]any{
		"iss":       issuer,
		"sub":       "alice",
		"client_id": "shop",
		"scope":     "openid profile",
		"sid":       r.Grant.SID,
		"acr":       "1",
		"iat":       float64(now.Unix()),
		"exp":       float64(now.Add(10 * time.Minute).Unix()),
		"auth_time": float64(now.Unix()),
	} {
		if claims[name] != want {
			t.Errorf("%s is %v, want %v", name, claims[name], want)
		}
	}
	if aud, _ := claims["aud"].([]any); len(aud) != 2 || aud[0] != "api" {
		t.Errorf("aud %v", claims["aud"])
	}
	jti, _ := claims["jti"].(string)
	id, ok := tokens.ParseAccessTokenID(jti)
	if !ok || id.Grant != r.Grant.ID || !id.Issued.Equal(now) {
		t.Errorf("jti %q reads as %+v", jti, id)
	}
	if again := (tokens.AccessTokenID{Grant: r.Grant.ID, Issued: now}).String(); again == jti {
		t.Error("two tokens have one jti")
	}
}

func TestJTIOfAnyShape(t *testing.T) {
	for _, jti := range []string{"", ".", "..", "a", "a.b", "a.!.c", "a..c", "a.b.", "a.zzzzzzzzzzzzzzzzzzzzzzzz.c"} {
		if id, ok := tokens.ParseAccessTokenID(jti); ok {
			t.Errorf("%q reads as %+v", jti, id)
		}
	}
	own := tokens.AccessTokenID{Issued: now}.String()
	if id, ok := tokens.ParseAccessTokenID(own); !ok || id.Grant != "" {
		t.Errorf("%q reads as %+v", own, id)
	}
}

// Issue may run twice in one transaction: what it stores must be the same.
func TestIssueIsPure(t *testing.T) {
	g := newRig(t)
	c := g.mustClient(func(c *storage.Client) { c.GrantTypes = []string{"authorization_code", "refresh_token"} })
	code := g.newCode("openid offline_access")
	x := g.NewExchange(c, code, now)
	member := storage.ClientSession{Client: "shop", SID: keys.Random()}
	first, err := x.Issue(g.session, member)
	if err != nil {
		t.Fatal(err)
	}
	second, err := x.Issue(g.session, member)
	if err != nil {
		t.Fatal(err)
	}
	if first.Grant.ID != second.Grant.ID || first.Grant.RefreshHash != second.Grant.RefreshHash ||
		first.Tokens[0].Hash != second.Tokens[0].Hash ||
		first.Trust != second.Trust {
		t.Errorf("first %+v\nthen  %+v", first, second)
	}
	if !first.Grant.Offline() || first.Tokens[0].SID != member.SID {
		t.Errorf("the access token beside an offline grant is not of the session: %+v", first)
	}
}

func TestGrantWithoutRefreshTokenEndsWithItsAccessToken(t *testing.T) {
	g := newRig(t)
	a, r := g.mustExchange(g.mustClient(nil), "openid")
	if a.RefreshToken != "" || !r.Grant.Expires.Equal(now.Add(time.Hour)) {
		t.Errorf("%+v, %+v", a, r.Grant)
	}
}

// TestJWTAccessTokenNeverNamesItsClientAsAudience: relying parties that do not check typ would accept it as an ID token.
func TestJWTAccessTokenNeverNamesItsClientAsAudience(t *testing.T) {
	for _, registered := range [][]string{nil, {"shop"}} {
		g := newRig(t)
		c := g.mustClient(func(c *storage.Client) { c.AccessTokenFormat, c.Audience = "jwt", registered })
		a, _ := g.mustExchange(c, "openid")
		if _, claims := g.mustRead(a.AccessToken); claims["aud"] != issuer {
			t.Errorf("registered %v: got aud %v, want the issuer", registered, claims["aud"])
		}
	}
}
