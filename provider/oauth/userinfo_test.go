package oauth_test

import (
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/tokens"
	"github.com/curfew-id/curfew/storage"
)

func fullUser(now time.Time) storage.User {
	return storage.User{
		Subject:       "bob",
		Name:          "bob",
		Email:         "bob@example.com",
		EmailVerified: true,
		Created:       now,
		Updated:       now,
		Claims: map[string]any{
			"name":                  "Bob B",
			"given_name":            "Bob",
			"family_name":           "B",
			"middle_name":           "M",
			"nickname":              "bobby",
			"profile":               "https://x.example/bob",
			"picture":               "https://x.example/bob.png",
			"website":               "https://bob.example",
			"gender":                "male",
			"birthdate":             "1980-02-29",
			"zoneinfo":              "Europe/Berlin",
			"locale":                "de-DE",
			"phone_number":          "+49 30 1",
			"phone_number_verified": true,
			"address":               map[string]any{"country": "DE", "locality": "Berlin"},
		},
	}
}

func TestUserInfoHasTheClaimsOfTheScopesInTheirTypes(t *testing.T) {
	g := newRig(t)
	g.mustClient("shop", nil)
	g.mustPut(fullUser(g.clock.Now()))
	a := g.redeem("shop", g.mustCode(g.mustSession("bob"), "shop", "openid profile email address phone", nil))
	info := g.userInfo(a.text("access_token"))
	want := map[string]any{}
	for name, v := range fullUser(g.clock.Now()).Claims {
		want[name] = v
	}
	want["sub"], want["preferred_username"], want["email"], want["email_verified"], want["updated_at"] = "bob", "bob", "bob@example.com", true, float64(
		g.clock.Now().Unix(),
	)
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
	g.mustPut(
		storage.User{
			Subject: "carol",
			Name:    "carol",
			Claims:  map[string]any{"nickname": "", "name": nil, "website": 7, "address": map[string]any{}},
		},
	)
	a := g.redeem("shop", g.mustCode(g.mustSession("carol"), "shop", "openid profile email address phone", nil))
	if got, want := g.userInfo(a.text("access_token")).data, (map[string]any{
		"sub":                "carol",
		"preferred_username": "carol",
		"updated_at":         float64(g.clock.Now().Unix()),
	}); !reflect.DeepEqual(
		got,
		want,
	) {
		t.Errorf("got %v, want %v", got, want)
	}
	_, only := g.mustTokens("shop", "openid")
	if got := g.userInfo(only.text("access_token")).data; len(got) != 1 {
		t.Errorf("with openid alone: %v", got)
	}
	// Not verified is said, not left out.
	_, mail := g.mustTokens("shop", "openid email phone")
	if got := g.userInfo(mail.text("access_token")).data; got["email_verified"] != false ||
		got["phone_number_verified"] != false {
		t.Errorf("unverified: %v", got)
	}
}

func TestClaimsParameterAsksByName(t *testing.T) {
	g := newRig(t)
	g.mustClient("shop", nil)
	g.mustPut(fullUser(g.clock.Now()))
	request, err := tokens.ParseClaimsRequest(
		`{"userinfo":{"name":{"essential":true},"email":null,"gender":{"value":"female"},"locale":{"values":["fr-FR","de-DE"]},"unknown":null},"id_token":{"nickname":null,"acr":{"values":["1"]}}}`,
	)
	if err != nil {
		t.Fatal(err)
	}
	a := g.redeem(
		"shop",
		g.mustCode(g.mustSession("bob"), "shop", "openid", func(c *tokens.Code) { c.Claims = request.Raw() }),
	)
	if got, want := g.userInfo(a.text("access_token")).data, (map[string]any{
		"sub":    "bob",
		"name":   "Bob B",
		"email":  "bob@example.com",
		"locale": "de-DE",
	}); !reflect.DeepEqual(
		got,
		want,
	) {
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
		info := g.userInfo(a.text("access_token"))
		if info.header.Get("Content-Type") != "application/jwt" {
			t.Fatalf("%v", info.header)
		}
		claims := g.claims(info.body)
		if claims["iss"] != issuer || claims["aud"] != "shop" || claims["sub"] != "alice" ||
			claims["name"] != "Alice" ||
			claims["nonce"] != nil {
			t.Errorf("claims: %v", claims)
		}
		// A signed answer is no ID token and no access token.
		if _, err := g.ring.VerifyHint(info.body); err == nil {
			t.Error("a userinfo answer passes as a hint")
		}
		if got := g.userInfo(info.body); got.status != http.StatusUnauthorized {
			t.Errorf("a userinfo answer as bearer: %d", got.status)
		}
	}
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
		if info := g.userInfo(a.text("access_token")).text("sub"); info != sub {
			t.Errorf("%s: userinfo has %q, the ID token %q", id, info, sub)
		}
		if seen := g.mustActive(id, a.text("access_token"), true).text("sub"); seen != sub {
			t.Errorf("%s: introspection has %q, the ID token %q", id, seen, sub)
		}
		if again, _ := g.claims(g.refresh(id, a.text("refresh_token")).text("id_token"))["sub"].(string); again != sub {
			t.Errorf("%s: after refresh %q, before %q", id, again, sub)
		}
		if strings.Contains(a.body, "alice") {
			t.Errorf("%s: the answer names the user: %s", id, a.body)
		}
		subs[id] = sub
	}
	if subs["a1"] != subs["a2"] || subs["a1"] == subs["b"] || subs["a1"] == "alice" || len(subs["a1"]) > 255 {
		t.Errorf("subjects: %v", subs)
	}
}

// TestTokensKeepTheSubjectThatWasGranted: the subject is stored with the grant and the client session. Even if the
// sector in the client's record is another one later, no token moves a user into that sector.
func TestTokensKeepTheSubjectThatWasGranted(t *testing.T) {
	g := newRig(t)
	g.mustClient("app", func(c *storage.Client) {
		c.SubjectType, c.SectorHost, c.AccessTokenFormat = "pairwise", "a.example", "jwt"
		c.BackchannelLogoutURI = "https://a.example/logout"
	})
	s, a := g.mustTokens("app", "openid")
	granted, _ := g.claims(a.text("id_token"))["sub"].(string)
	c, err := g.store.Client(t.Context(), "app")
	if err != nil {
		t.Fatal(err)
	}
	c.SectorHost = "victim.example"
	if err := g.store.PutClient(t.Context(), *c); err != nil {
		t.Fatal(err)
	}
	refreshed := g.refresh("app", a.text("refresh_token"))
	for name, sub := range map[string]any{
		"ID token":      g.claims(refreshed.text("id_token"))["sub"],
		"access token":  g.claims(refreshed.text("access_token"))["sub"],
		"UserInfo":      g.userInfo(a.text("access_token")).text("sub"),
		"introspection": g.mustActive("app", a.text("access_token"), true).text("sub"),
	} {
		if sub != granted {
			t.Errorf("%s: got sub %v, want %q as granted", name, sub, granted)
		}
	}
	g.endSessions(storage.Selector{Sessions: []storage.SessionID{s.ID}})
	deliveries, _, err := g.store.ListDeliveries(t.Context(), storage.DeliveryFilter{}, storage.Page{})
	if err != nil || len(deliveries) == 0 {
		t.Fatalf("got %d deliveries, %v", len(deliveries), err)
	}
	for _, d := range deliveries {
		if d.Subject != granted {
			t.Errorf("logout token: got sub %s, want %q as granted", d.Subject, granted)
		}
	}
}
