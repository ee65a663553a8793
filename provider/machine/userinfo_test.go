package machine

import (
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/tokens"
	"github.com/curfew-id/curfew/storage"
)

func fullUser(now time.Time) storage.User {
	return storage.User{Subject: "bob", Name: "bob", Email: "bob@example.com", EmailVerified: true, Created: now, Updated: now, Claims: map[string]any{
		"name": "Bob B", "given_name": "Bob", "family_name": "B", "middle_name": "M", "nickname": "bobby", "profile": "https://x.example/bob", "picture": "https://x.example/bob.png",
		"website": "https://bob.example", "gender": "male", "birthdate": "1980-02-29", "zoneinfo": "Europe/Berlin", "locale": "de-DE", "phone_number": "+49 30 1", "phone_number_verified": true,
		"address": map[string]any{"country": "DE", "locality": "Berlin"}}}
}

func TestUserInfoHasTheClaimsOfTheScopesInTheirTypes(t *testing.T) {
	g := newRig(t)
	g.mustClient("shop", nil)
	g.mustPut(fullUser(g.now))
	a := g.redeem("shop", g.mustCode(g.mustSession("bob"), "shop", "openid profile email address phone", nil))
	info := g.bearer(a.text("access_token"))
	want := map[string]any{}
	for name, v := range fullUser(g.now).Claims {
		want[name] = v
	}
	want["sub"], want["preferred_username"], want["email"], want["email_verified"], want["updated_at"] = "bob", "bob", "bob@example.com", true, float64(g.now.Unix())
	if !reflect.DeepEqual(info.data, want) {
		t.Errorf("got  %v\nwant %v", info.data, want)
	}
	if info.header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers: %v", info.header)
	}
}

func TestUserInfoLeavesOutWhatIsNotThereOrNotAskedFor(t *testing.T) {
	g := newRig(t)
	g.mustClient("shop", nil)
	g.mustPut(storage.User{Subject: "carol", Name: "carol", Claims: map[string]any{"nickname": "", "name": nil, "website": 7, "address": map[string]any{}}})
	a := g.redeem("shop", g.mustCode(g.mustSession("carol"), "shop", "openid profile email address phone", nil))
	if got, want := g.bearer(a.text("access_token")).data, (map[string]any{"sub": "carol", "preferred_username": "carol", "updated_at": float64(g.now.Unix())}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	_, only := g.mustTokens("shop", "openid")
	if got := g.bearer(only.text("access_token")).data; len(got) != 1 {
		t.Errorf("with openid alone: %v", got)
	}
	// Not verified is said, not left out.
	_, mail := g.mustTokens("shop", "openid email phone")
	if got := g.bearer(mail.text("access_token")).data; got["email_verified"] != false || got["phone_number_verified"] != false {
		t.Errorf("unverified: %v", got)
	}
}

func TestClaimsParameterAsksByName(t *testing.T) {
	g := newRig(t)
	g.mustClient("shop", nil)
	g.mustPut(fullUser(g.now))
	request, err := tokens.ParseClaims(`{"userinfo":{"name":{"essential":true},"email":null,"gender":{"value":"female"},"locale":{"values":["fr-FR","de-DE"]},"unknown":null},"id_token":{"nickname":null,"acr":{"values":["1"]}}}`)
	if err != nil {
		t.Fatal(err)
	}
	a := g.redeem("shop", g.mustCode(g.mustSession("bob"), "shop", "openid", func(c *tokens.Code) { c.Claims = request.Raw() }))
	if got, want := g.bearer(a.text("access_token")).data, (map[string]any{"sub": "bob", "name": "Bob B", "email": "bob@example.com", "locale": "de-DE"}); !reflect.DeepEqual(got, want) {
		t.Errorf("userinfo: got %v, want %v", got, want)
	}
	for _, token := range []string{a.text("id_token"), g.refresh("shop", a.text("refresh_token")).text("id_token")} {
		if id := g.claims(token); id["nickname"] != "bobby" || id["name"] != nil || id["acr"] != "1" {
			t.Errorf("ID token: %v", id)
		}
	}
}

func TestUserInfoIsSignedWhereRegistered(t *testing.T) {
	for _, alg := range []string{keys.ES256, keys.RS256} {
		g := newRig(t, keys.RS256)
		g.mustClient("shop", func(c *storage.Client) { c.UserinfoSignedResponseAlg = alg })
		_, a := g.mustTokens("shop", "openid profile")
		info := g.bearer(a.text("access_token"))
		if info.header.Get("Content-Type") != "application/jwt" {
			t.Fatalf("%v", info.header)
		}
		claims := g.claims(info.body)
		if claims["iss"] != issuer || claims["aud"] != "shop" || claims["sub"] != "alice" || claims["name"] != "Alice" || claims["nonce"] != nil {
			t.Errorf("claims: %v", claims)
		}
		// A signed answer is no ID token and no access token.
		if _, err := g.ring.VerifyHint(info.body); err == nil {
			t.Error("a userinfo answer passes as a hint")
		}
		if got := g.bearer(info.body); got.status != http.StatusUnauthorized {
			t.Errorf("a userinfo answer as bearer: %d", got.status)
		}
	}
}

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
		"query":               {httptest.NewRequest(http.MethodGet, "/?access_token="+token, nil), 400, `error="invalid_request"`},
		"none":                {httptest.NewRequest(http.MethodGet, "/", nil), 401, `Bearer realm="` + issuer + `"`},
		"Basic":               {basic, 401, "Bearer"},
		"empty":               {bearerRequest(""), 401, "Bearer"},
		"PUT":                 {put, 405, "Bearer"},
	} {
		got := g.do(g.http.UserInfo, c.r)
		if got.status != c.status || !strings.Contains(got.header.Get("WWW-Authenticate"), c.challenge) {
			t.Errorf("%s: %d %v %s", name, got.status, got.header, got.body)
		}
		if name == "none" && (strings.Contains(got.header.Get("WWW-Authenticate"), "error") || got.body != "") {
			t.Errorf("without a token: %v %q", got.header, got.body)
		}
	}
	got := g.bearer("cat_" + strings.Repeat("A", 43))
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
		now := g.now.Unix()
		logoutClaims := map[string]any{"iss": issuer, "aud": "shop", "sub": "alice", "sid": member.SID, "iat": now, "exp": now + 60, "jti": "x",
			"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}}
		sign := func(typ string, claims any) string {
			text, err := g.ring.Sign(keys.ES256, typ, claims)
			if err != nil {
				t.Fatal(err)
			}
			return text
		}
		for name, token := range map[string]string{
			"ID token":                a.text("id_token"),
			"refresh token":           a.text("refresh_token"),
			"logout token":            sign("logout+jwt", logoutClaims),
			"logout token, typ JWT":   sign("JWT", logoutClaims),
			"logout token, no typ":    sign("", logoutClaims),
			"code":                    g.mustCode(s, "shop", "openid", nil),
			"access token, no grant":  sign("at+jwt", tokens.AccessClaims{Issuer: issuer, Expires: now + 60, Audience: tokens.Audience{"shop"}, Subject: "alice", Client: "shop", Issued: now, ID: "x"}),
			"access token, foreign":   sign("at+jwt", tokens.AccessClaims{Issuer: "https://other.example", Expires: now + 60, Audience: tokens.Audience{"shop"}, Subject: "alice", Client: "shop", Issued: now, ID: tokens.AccessID{Grant: "x", Issued: g.now}.String()}),
			"access token, a made-up": sign("at+jwt", tokens.AccessClaims{Issuer: issuer, Expires: now + 60, Audience: tokens.Audience{"shop"}, Subject: "alice", Client: "shop", Issued: now, ID: tokens.AccessID{Grant: "x", Issued: g.now}.String()}),
		} {
			if got := g.bearer(token); got.status != http.StatusUnauthorized {
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

func mustMember(t *testing.T, g *rig, s storage.Session, client string) storage.Member {
	t.Helper()
	session, err := g.store.Session(t.Context(), s.ID, g.now)
	if err != nil || session.Member(client) == nil {
		t.Fatalf("no member %s: %v", client, err)
	}
	return *session.Member(client)
}

func TestTokensDieWithWhatTheyRestOn(t *testing.T) {
	for _, format := range []string{"opaque", "jwt"} {
		for name, end := range map[string]func(g *rig, s storage.Session){
			"session": func(g *rig, s storage.Session) { g.end(storage.Selector{Sessions: []storage.SessionID{s.ID}}) },
			"membership": func(g *rig, s storage.Session) {
				g.end(storage.Selector{Sessions: []storage.SessionID{s.ID}, Client: "shop"})
			},
			"everywhere":     func(g *rig, s storage.Session) { g.end(storage.Selector{Subject: "alice"}) },
			"idle deadline":  func(g *rig, s storage.Session) { g.now = g.now.Add(9 * time.Hour) },
			"token's expiry": func(g *rig, s storage.Session) { g.now = g.now.Add(time.Hour) },
			"client disabled": func(g *rig, s storage.Session) {
				c, err := g.store.Client(g.t.Context(), "shop")
				if err != nil {
					g.t.Fatal(err)
				}
				off := *c
				off.Disabled = true
				_, err = g.server.Ender.End(g.t.Context(), storage.Selector{Client: "shop"}, storage.Cause{Reason: storage.ReasonClientDisabled}, storage.Change{Client: &off})
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
				_, err = g.server.Ender.End(g.t.Context(), storage.Selector{Subject: "alice", Offline: true}, storage.Cause{Reason: storage.ReasonUserDisabled}, storage.Change{User: &u})
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
				if got := g.bearer(a.text("access_token")); got.status != http.StatusOK {
					t.Fatalf("before: %d %s", got.status, got.body)
				}
				g.now = g.now.Add(time.Second)
				end(g, s)
				if got := g.bearer(a.text("access_token")); got.status != http.StatusUnauthorized {
					t.Errorf("userinfo: %d %s", got.status, got.body)
				}
				if name != "client disabled" {
					g.mustActive("shop", a.text("access_token"), false)
				}
				if name == "token's expiry" {
					return
				}
				for _, got := range []answer{g.refresh("shop", a.text("refresh_token")), g.redeem("shop", code)} {
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
	g.mustRefuse(g.bearer(a.text("access_token")), 403, "insufficient_scope")
	own := g.as("shop", g.http.Token, "grant_type", "client_credentials")
	g.mustRefuse(g.bearer(own.text("access_token")), 403, "insufficient_scope")
}

func TestPairwiseSubjectIsTheSameEverywhereForOneSectorOnly(t *testing.T) {
	g := newRig(t)
	pairwise := func(host, format string) func(*storage.Client) {
		return func(c *storage.Client) {
			c.SubjectType, c.SectorHost, c.AccessTokenFormat = "pairwise", host, format
		}
	}
	g.mustClient("a1", pairwise("a.example", "jwt"))
	g.mustClient("a2", pairwise("a.example", "opaque"))
	g.mustClient("b", pairwise("b.example", "opaque"))
	subs := map[string]string{}
	for _, id := range []string{"a1", "a2", "b"} {
		_, a := g.mustTokens(id, "openid")
		sub, _ := g.claims(a.text("id_token"))["sub"].(string)
		if info := g.bearer(a.text("access_token")).text("sub"); info != sub {
			t.Errorf("%s: userinfo has %q, the ID token %q", id, info, sub)
		}
		if seen := g.mustActive(id, a.text("access_token"), true).text("sub"); seen != sub {
			t.Errorf("%s: introspection has %q, the ID token %q", id, seen, sub)
		}
		if again, _ := g.claims(g.refresh(id, a.text("refresh_token")).text("id_token"))["sub"].(string); again != sub {
			t.Errorf("%s: after refresh %q, before %q", id, again, sub)
		}
		if strings.Contains(a.body, "alice") {
			t.Errorf("%s: the answer names the person: %s", id, a.body)
		}
		subs[id] = sub
	}
	if subs["a1"] != subs["a2"] || subs["a1"] == subs["b"] || subs["a1"] == "alice" || len(subs["a1"]) > 255 {
		t.Errorf("subjects: %v", subs)
	}
}
