package oauth_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/tokens"
	"github.com/curfew-id/curfew/storage"
)

func TestUserInfoTakesOneTokenFromHeaderOrBody(t *testing.T) {
	g := newRig(t)
	g.mustClient("shop", nil)
	_, a := g.mustTokens("shop", "openid")
	token := a.text("access_token")
	both := post(form("access_token", token))
	both.Header.Set("Authorization", "Bearer "+token)
	twice := bearerRequest(token)
	twice.Header.Add("Authorization", "Bearer "+token)
	postHeader := httptest.NewRequest(http.MethodPost, "/", nil)
	postHeader.Header.Set("Authorization", "bearer "+token)
	inQuery := bearerRequest(token)
	inQuery.URL.RawQuery = "access_token=" + token
	basic := httptest.NewRequest(http.MethodGet, "/", nil)
	basic.SetBasicAuth("shop", secret)
	put := bearerRequest(token)
	put.Method = http.MethodPut
	for name, c := range map[string]struct {
		r         *http.Request
		status    int
		challenge string
	}{
		"GET, header":         {bearerRequest(token), 200, ""},
		"POST, header":        {postHeader, 200, ""},
		"POST, body":          {post(form("access_token", token)), 200, ""},
		"header and body":     {both, 400, `error="invalid_request"`},
		"two headers":         {twice, 400, `error="invalid_request"`},
		"query beside header": {inQuery, 400, `error="invalid_request"`},
		"query": {
			httptest.NewRequest(http.MethodGet, "/?access_token="+token, nil),
			400,
			`error="invalid_request"`,
		},
		"none":  {httptest.NewRequest(http.MethodGet, "/", nil), 401, `Bearer realm="` + issuer + `"`},
		"Basic": {basic, 401, "Bearer"},
		"empty": {bearerRequest(""), 401, "Bearer"},
		"PUT":   {put, 405, "Bearer"},
	} {
		got := g.do(g.http.UserInfo, c.r)
		if got.status != c.status || !strings.Contains(got.header.Get("WWW-Authenticate"), c.challenge) {
			t.Errorf("%s: %d %v %s", name, got.status, got.header, got.body)
		}
		if name == "none" && (strings.Contains(got.header.Get("WWW-Authenticate"), "error") || got.body != "") {
			t.Errorf("without a token: %v %q", got.header, got.body)
		}
	}
	got := g.userInfo("cat_" + strings.Repeat("A", 43))
	g.mustRefuse(got, 401, "invalid_token")
	if !strings.Contains(got.header.Get("WWW-Authenticate"), `error="invalid_token"`) {
		t.Errorf("%v", got.header)
	}
}

// A token of one kind is useless as another.
func TestNoOtherTokenPassesForAnAccessToken(t *testing.T) {
	for _, format := range []string{"opaque", "jwt"} {
		g := newRig(t)
		g.mustClient("shop", func(c *storage.Client) { c.AccessTokenFormat = format })
		s, a := g.mustTokens("shop", "openid")
		member := mustMember(t, g, s, "shop")
		now := g.clock.Now().Unix()
		logoutClaims := map[string]any{
			"iss":    issuer,
			"aud":    "shop",
			"sub":    "alice",
			"sid":    member.SID,
			"iat":    now,
			"exp":    now + 60,
			"jti":    "x",
			"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
		}
		sign := func(typ string, claims any) string {
			text, err := g.ring.Sign(keys.ES256, typ, claims)
			if err != nil {
				t.Fatal(err)
			}
			return text
		}
		for name, token := range map[string]string{
			"ID token":              a.text("id_token"),
			"refresh token":         a.text("refresh_token"),
			"logout token":          sign("logout+jwt", logoutClaims),
			"logout token, typ JWT": sign("JWT", logoutClaims),
			"logout token, no typ":  sign("", logoutClaims),
			"code":                  g.mustCode(s, "shop", "openid", nil),
			"access token, no grant": sign("at+jwt", tokens.AccessClaims{
				Issuer:   issuer,
				Expires:  now + 60,
				Audience: tokens.Audience{"shop"},
				Subject:  "alice",
				Client:   "shop",
				Issued:   now,
				ID:       "x",
			}),
			"access token, foreign": sign("at+jwt", tokens.AccessClaims{
				Issuer:   "https://other.example",
				Expires:  now + 60,
				Audience: tokens.Audience{"shop"},
				Subject:  "alice",
				Client:   "shop",
				Issued:   now,
				ID:       tokens.AccessTokenID{Grant: "x", Issued: g.clock.Now()}.String(),
			}),
			"access token, a made-up": sign("at+jwt", tokens.AccessClaims{
				Issuer:   issuer,
				Expires:  now + 60,
				Audience: tokens.Audience{"shop"},
				Subject:  "alice",
				Client:   "shop",
				Issued:   now,
				ID:       tokens.AccessTokenID{Grant: "x", Issued: g.clock.Now()}.String(),
			}),
		} {
			if got := g.userInfo(token); got.status != http.StatusUnauthorized {
				t.Errorf("%s at userinfo (%s): %d %s", name, format, got.status, got.body)
			}
			if name != "refresh token" {
				g.mustActive("shop", token, false)
			}
		}
		// The other way round.
		if _, err := g.ring.VerifyHint(a.text("access_token")); err == nil {
			t.Errorf("an access token (%s) passes as a hint", format)
		}
		g.mustRefuse(g.refresh("shop", a.text("access_token")), 400, "invalid_grant")
		g.mustRefuse(g.redeem("shop", a.text("access_token")), 400, "invalid_grant")
	}
}

func mustMember(t *testing.T, g *rig, s storage.Session, client string) storage.ClientSession {
	t.Helper()
	session, err := g.store.Session(t.Context(), s.ID, g.clock.Now())
	if err != nil || session.ClientSession(client) == nil {
		t.Fatalf("no client session of %s: %v", client, err)
	}
	return *session.ClientSession(client)
}

func TestTokensEndWithTheirSessionOrGrant(t *testing.T) {
	for _, format := range []string{"opaque", "jwt"} {
		for name, end := range map[string]func(g *rig, s storage.Session){
			"session": func(g *rig, s storage.Session) { g.endSessions(storage.Selector{Sessions: []storage.SessionID{s.ID}}) },
			"client session": func(g *rig, s storage.Session) {
				g.endSessions(storage.Selector{Sessions: []storage.SessionID{s.ID}, Client: "shop"})
			},
			"everywhere":     func(g *rig, s storage.Session) { g.endSessions(storage.Selector{Subject: "alice"}) },
			"idle deadline":  func(g *rig, s storage.Session) { g.clock.Advance(9 * time.Hour) },
			"token's expiry": func(g *rig, s storage.Session) { g.clock.Advance(time.Hour) },
			"client disabled": func(g *rig, s storage.Session) {
				c, err := g.store.Client(g.t.Context(), "shop")
				if err != nil {
					g.t.Fatal(err)
				}
				off := *c
				off.Disabled = true
				_, err = g.server.Terminator.End(g.t.Context(), storage.EndRequest{
					Selector: storage.Selector{Client: "shop"},
					Cause:    storage.Cause{Reason: storage.ReasonClientDisabled},
					Change:   storage.Change{Client: &off},
				})
				if err != nil {
					g.t.Fatal(err)
				}
			},
			"user disabled": func(g *rig, s storage.Session) {
				u, err := g.store.User(g.t.Context(), "alice")
				if err != nil {
					g.t.Fatal(err)
				}
				u.Disabled = true
				_, err = g.server.Terminator.End(g.t.Context(), storage.EndRequest{
					Selector: storage.Selector{Subject: "alice", IncludeOffline: true},
					Cause:    storage.Cause{Reason: storage.ReasonUserDisabled},
					Change:   storage.Change{User: &u},
				})
				if err != nil {
					g.t.Fatal(err)
				}
			},
		} {
			t.Run(format+"/"+name, func(t *testing.T) {
				g := newRig(t)
				g.mustClient("shop", func(c *storage.Client) { c.AccessTokenFormat = format })
				g.mustClient("watch", nil)
				s, a := g.mustTokens("shop", "openid")
				code := g.mustCode(s, "shop", "openid", nil)
				if got := g.userInfo(a.text("access_token")); got.status != http.StatusOK {
					t.Fatalf("before: %d %s", got.status, got.body)
				}
				g.clock.Advance(time.Second)
				end(g, s)
				if got := g.userInfo(a.text("access_token")); got.status != http.StatusUnauthorized {
					t.Errorf("userinfo: %d %s", got.status, got.body)
				}
				if name != "client disabled" {
					g.mustActive("shop", a.text("access_token"), false)
				}
				if name == "token's expiry" {
					return
				}
				for _, got := range []response{g.refresh("shop", a.text("refresh_token")), g.redeem("shop", code)} {
					if got.status == http.StatusOK {
						t.Errorf("minted late: %s", got.body)
					}
				}
			})
		}
	}
}

func TestTokenWithoutOpenIDGetsNoClaims(t *testing.T) {
	g := newRig(t)
	g.mustClient("shop", nil)
	_, a := g.mustTokens("shop", "profile")
	if a.text("id_token") != "" {
		t.Errorf("an ID token without openid: %s", a.body)
	}
	g.mustRefuse(g.userInfo(a.text("access_token")), 403, "insufficient_scope")
	own := g.postAs("shop", g.http.Token, "grant_type", "client_credentials")
	g.mustRefuse(g.userInfo(own.text("access_token")), 403, "insufficient_scope")
}
