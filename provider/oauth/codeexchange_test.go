package oauth_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/curfew-id/curfew/provider/tokens"
	"github.com/curfew-id/curfew/storage"
)

func TestCodeGivesTokensOfTheSession(t *testing.T) {
	g := newRig(t)
	g.mustClient("shop", nil)
	s, a := g.mustTokens("shop", "openid profile email")
	if a.header.Get("Cache-Control") != "no-store" || a.header.Get("Pragma") != "no-cache" {
		t.Errorf("headers: %v", a.header)
	}
	if a.text("token_type") != "Bearer" || a.data["expires_in"] != 3600.0 || a.text("scope") != "openid profile email" {
		t.Errorf("answer: %s", a.body)
	}
	session, err := g.store.Session(t.Context(), s.ID, g.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	member := session.ClientSession("shop")
	if member == nil {
		t.Fatal("the client got tokens and is no member")
	}
	id := g.claims(a.text("id_token"))
	want := map[string]any{
		"iss":       issuer,
		"sub":       "alice",
		"aud":       "shop",
		"nonce":     "n-0S6_WzA2Mj",
		"acr":       "1",
		"sid":       member.SID,
		"auth_time": float64(s.AuthTime.Unix()),
		"iat":       float64(g.clock.Now().Unix()),
		"exp":       float64(g.clock.Now().Add(10 * time.Minute).Unix()),
	}
	for name, v := range want {
		if id[name] != v {
			t.Errorf("ID token has %s %v, want %v", name, id[name], v)
		}
	}
	if id["at_hash"] == nil || id["azp"] != nil || id["email"] != nil || id["session_expiry"] != nil {
		t.Errorf("ID token: %v", id)
	}
	if got := g.userInfo(a.text("access_token")); got.status != http.StatusOK || got.text("sub") != "alice" ||
		got.text("name") != "Alice" ||
		got.text("email") != "alice@example.com" ||
		got.data["email_verified"] != false {
		t.Errorf("userinfo: %d %s", got.status, got.body)
	}
	if !member.Opaque.Equal(g.clock.Now().Add(time.Hour)) || !member.IDToken.Equal(g.clock.Now().Add(10*time.Minute)) ||
		!member.LastIDToken.Equal(g.clock.Now()) ||
		!member.JWT.IsZero() {
		t.Errorf("trust: %+v", member.TokenExpiry)
	}
}

func TestOfFiftyRedemptionsOneWins(t *testing.T) {
	g := newRig(t)
	g.mustClient("shop", nil)
	code := g.mustCode(g.mustSession("alice"), "shop", "openid", nil)
	answers := make([]response, 50)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() { answers[i] = g.redeem("shop", code) })
	}
	wg.Wait()
	won := 0
	for _, a := range answers {
		if a.status == http.StatusOK {
			won++
			// The others were second uses: what the first gave is revoked.
			if got := g.userInfo(a.text("access_token")); got.status != http.StatusUnauthorized {
				t.Errorf("access token after reuse: %d", got.status)
			}
			g.mustRefuse(g.refresh("shop", a.text("refresh_token")), 400, "invalid_grant")
			continue
		}
		g.mustRefuse(a, 400, "invalid_grant")
	}
	if won != 1 {
		t.Fatalf("%d redemptions won, want 1", won)
	}
}

func TestCodeReuseEndsTheGrantAndNothingMore(t *testing.T) {
	g := newRig(t)
	g.mustClient("shop", nil)
	s := g.mustSession("alice")
	code := g.mustCode(s, "shop", "openid", nil)
	first := g.redeem("shop", code)
	other := g.redeem("shop", g.mustCode(s, "shop", "openid", nil))
	g.clock.Advance(30 * time.Second)
	g.mustRefuse(g.redeem("shop", code), 400, "invalid_grant")
	g.mustActive("shop", first.text("access_token"), false)
	g.mustActive("shop", other.text("access_token"), true)
	if session, err := g.store.Session(t.Context(), s.ID, g.clock.Now()); err != nil ||
		session.ClientSession("shop") == nil {
		t.Errorf("the session or its member ended: %v", err)
	}
	g.mustRefuse(g.redeem("shop", code), 400, "invalid_grant")
	g.mustReported(storage.ReasonCodeReuse)
}

// Only a code's client, at its redirect URI, with its verifier, may use it up or end what it gave.
func TestWhoCannotRedeemCannotUseTheCodeUp(t *testing.T) {
	wrong := strings.Repeat("x", 43)
	for name, attack := range map[string]func(g *rig, code string) response{
		"another client": func(g *rig, code string) response { return g.redeem("thief", code) },
		"another redirect URI": func(g *rig, code string) response {
			return g.postAs("shop", g.http.Token, "grant_type", "authorization_code", "code", code, "redirect_uri", callback+"&y=2", "code_verifier", verifier)
		},
		"verifier missing": func(g *rig, code string) response {
			return g.postAs("shop", g.http.Token, "grant_type", "authorization_code", "code", code, "redirect_uri", callback)
		},
		"verifier wrong": func(g *rig, code string) response {
			return g.postAs("shop", g.http.Token, "grant_type", "authorization_code", "code", code, "redirect_uri", callback, "code_verifier", wrong)
		},
		"challenge as verifier": func(g *rig, code string) response {
			return g.postAs("shop", g.http.Token, "grant_type", "authorization_code", "code", code, "redirect_uri", callback, "code_verifier", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")
		},
		"verifier too short": func(g *rig, code string) response {
			return g.postAs("shop", g.http.Token, "grant_type", "authorization_code", "code", code, "redirect_uri", callback, "code_verifier", verifier[:42])
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t)
			g.mustClient("shop", nil)
			g.mustClient("thief", nil)
			code := g.mustCode(g.mustSession("alice"), "shop", "openid", nil)
			g.mustRefuse(attack(g, code), 400, "invalid_grant")
			a := g.redeem("shop", code)
			if a.status != http.StatusOK {
				t.Fatalf("the code is burnt: %d %s", a.status, a.body)
			}
			g.mustRefuse(attack(g, code), 400, "invalid_grant")
			g.mustActive("shop", a.text("access_token"), true)
		})
	}
}

func TestVerifierWithoutChallengeIsADowngrade(t *testing.T) {
	g := newRig(t)
	g.mustClient("shop", nil)
	code := g.mustCode(g.mustSession("alice"), "shop", "openid", func(c *tokens.Code) { c.CodeChallenge = "" })
	g.mustRefuse(g.redeem("shop", code), 400, "invalid_grant")
	a := g.postAs("shop", g.http.Token, "grant_type", "authorization_code", "code", code, "redirect_uri", callback)
	if a.status != http.StatusOK {
		t.Fatalf("without both: %d %s", a.status, a.body)
	}
}

func TestOtherSpellingsOfAUsedCodeAreUsed(t *testing.T) {
	g := newRig(t)
	g.mustClient("shop", nil)
	code := g.mustCode(g.mustSession("alice"), "shop", "openid", nil)
	if a := g.redeem("shop", code); a.status != http.StatusOK {
		t.Fatal(a.body)
	}
	for _, other := range []string{code + "=", code + "\n", code[:len(code)-1], code + "A", strings.ToUpper(code), ""} {
		if a := g.redeem("shop", other); a.status != http.StatusBadRequest {
			t.Errorf("%q: %d %s", other, a.status, a.body)
		}
	}
}

func TestCodeEndsByTimeAndWithItsSession(t *testing.T) {
	g := newRig(t)
	g.mustClient("shop", nil)
	late := g.mustCode(g.mustSession("alice"), "shop", "openid", nil)
	s := g.mustSession("alice")
	ended := g.mustCode(s, "shop", "openid", nil)
	g.clock.Advance(time.Second)
	g.endSessions(storage.Selector{Sessions: []storage.SessionID{s.ID}})
	g.mustRefuse(g.redeem("shop", ended), 400, "invalid_grant")
	g.clock.Advance(time.Minute)
	g.mustRefuse(g.redeem("shop", late), 400, "invalid_grant")
}

func TestAccessTokenNeverOutlivesTheSessionsAbsoluteEnd(t *testing.T) {
	for _, format := range []string{"opaque", "jwt"} {
		g := newRig(t)
		g.mustClient("shop", func(c *storage.Client) { c.AccessTokenFormat = format })
		s := g.mustSession("alice")
		for range 4 { // used now and then, so that only the absolute end ends it
			g.clock.Advance(5*time.Hour + 59*time.Minute)
			if err := g.store.Touch(t.Context(), s.ID, g.clock.Now()); err != nil {
				t.Fatal(err)
			}
		}
		a := g.redeem("shop", g.mustCode(s, "shop", "openid", nil))
		if a.data["expires_in"] != 240.0 {
			t.Errorf("%s: expires_in %v, want 240", format, a.data["expires_in"])
		}
		g.clock.Advance(4 * time.Minute)
		if got := g.userInfo(a.text("access_token")); got.status != http.StatusUnauthorized {
			t.Errorf("%s: userinfo after the absolute end: %d", format, got.status)
		}
	}
}

func TestPublicClientProvesItselfByPKCEAlone(t *testing.T) {
	g := newRig(t)
	g.mustMethod("spa", "none")
	s := g.mustSession("alice")
	redeem := func(more ...string) response {
		return g.postAs(
			"",
			g.http.Token,
			append(
				[]string{
					"grant_type",
					"authorization_code",
					"client_id",
					"spa",
					"redirect_uri",
					callback,
					"code",
					g.mustCode(s, "spa", "openid", nil),
				},
				more...)...)
	}
	g.mustRefuse(redeem(), 400, "invalid_grant")
	a := redeem("code_verifier", verifier)
	if a.status != http.StatusOK || a.header.Get("Access-Control-Allow-Origin") != "*" {
		t.Fatalf("%d %v %s", a.status, a.header, a.body)
	}
	next := g.postAs(
		"",
		g.http.Token,
		"grant_type",
		"refresh_token",
		"client_id",
		"spa",
		"refresh_token",
		a.text("refresh_token"),
	)
	if next.status != http.StatusOK || next.text("refresh_token") == a.text("refresh_token") {
		t.Fatalf("%d %s", next.status, next.body)
	}
	g.mustRefuse(
		g.postAs("", g.http.Token, "grant_type", "client_credentials", "client_id", "spa"),
		401,
		"invalid_client",
	)
	g.mustRefuse(
		g.postAs("", g.http.Introspect, "token", next.text("access_token"), "client_id", "spa"),
		401,
		"invalid_client",
	)
}
