package tokens_test

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/tokens"
	"github.com/curfew-id/curfew/storage"
)

func TestIDTokenIsSignedAsRegistered(t *testing.T) {
	g := newRig(t, keys.RS256, keys.PS256, keys.EdDSA)
	for i, alg := range []string{"", "RS256", "ES256", "PS256", "EdDSA"} {
		id := "client" + string(rune('a'+i))
		c := g.mustClient(func(c *storage.Client) { c.ClientID, c.IDTokenSignedResponseAlg = id, alg })
		code := g.newCode("openid")
		code.Client = id
		a, _ := g.mustAuthorizationTokens(c, code, "code id_token token", "the code")
		header, claims := g.mustRead(a.IDToken)
		want := alg
		if alg == "" {
			want = "RS256"
		}
		if header["alg"] != want || header["typ"] != "JWT" || header["kid"] == nil {
			t.Errorf("%q: header %v", alg, header)
		}
		half := func(text string) string {
			sum := sha256.Sum256([]byte(text))
			if alg == "EdDSA" {
				sum := sha512.Sum512([]byte(text))
				return base64.RawURLEncoding.EncodeToString(sum[:32])
			}
			return base64.RawURLEncoding.EncodeToString(sum[:16])
		}
		if claims["at_hash"] != half(a.AccessToken) || claims["c_hash"] != half("the code") || claims["nonce"] != "n" {
			t.Errorf("%q: claims %v", alg, claims)
		}
	}
}

func TestHashesAreThoseOfTheSpecification(t *testing.T) {
	// Core appendix A.4: access token jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y.
	if got := tokens.LeftHalfHash("RS256", "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"); got != "77QmUPtjPfzWtF2AnpK9RQ" {
		t.Errorf("at_hash %s", got)
	}
	// Core appendix A.6: code Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk.
	if got := tokens.LeftHalfHash("RS256", "Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk"); got != "LDktKdoQak3Pk0cnXxCltA" {
		t.Errorf("c_hash %s", got)
	}
}

func TestUnsignedIDTokenOnlyWhereRegistered(t *testing.T) {
	g := newRig(t, keys.RS256)
	c := g.mustClient(func(c *storage.Client) { c.IDTokenSignedResponseAlg, c.AccessTokenFormat = "none", "jwt" })
	a, _ := g.mustExchange(c, "openid")
	header, claims := g.mustRead(a.IDToken)
	if header["alg"] != "none" || !strings.HasSuffix(a.IDToken, ".") || claims["at_hash"] != nil ||
		claims["sub"] != "alice" {
		t.Errorf("%v %v", header, claims)
	}
	// Its access tokens are signed all the same.
	if header, _ := g.mustRead(a.AccessToken); header["alg"] != "RS256" {
		t.Errorf("access token: %v", header)
	}
	// From the authorization endpoint, whose answers any website can forge, it is never unsigned (Core §2).
	front, _ := g.mustAuthorizationTokens(c, g.newCode("openid"), "id_token", "")
	if header, _ := g.mustRead(front.IDToken); header["alg"] != "RS256" {
		t.Errorf("ID token of the authorization endpoint: %v", header)
	}
}

func TestSessionExpiryIsGivenToThoseWhoHonourIt(t *testing.T) {
	for lease, want := range map[int]time.Time{
		0:         {},
		900:       now.Add(15 * time.Minute),
		7 * 86400: now.Add(24 * time.Hour),
	} {
		g := newRig(t)
		c := g.mustClient(func(c *storage.Client) { c.SessionExpiry = lease })
		a, r := g.mustExchange(c, "openid")
		_, claims := g.mustRead(a.IDToken)
		if want.IsZero() != (claims["session_expiry"] == nil) ||
			!want.IsZero() && claims["session_expiry"] != float64(want.Unix()) {
			t.Errorf("lease %d: %v, want %v", lease, claims["session_expiry"], want.Unix())
		}
		if got := r.Session.ClientSession("shop").SessionExpiry; !got.Equal(want) {
			t.Errorf("lease %d: the ledger has %v, want %v", lease, got, want)
		}
	}
}

// The trust horizon rests on the ledger: it must never know less than what was given out.
func TestLedgerKnowsWhatWasGiven(t *testing.T) {
	for _, format := range []string{"opaque", "jwt"} {
		for _, responseType := range []string{
			"id_token",
			"id_token token",
			"code token",
			"code id_token",
			"code id_token token",
		} {
			g := newRig(t)
			c := g.mustClient(func(c *storage.Client) { c.AccessTokenFormat = format })
			a, r := g.mustAuthorizationTokens(c, g.newCode("openid"), responseType, "x")
			session, err := g.store.Session(t.Context(), g.session.ID, now)
			if err != nil || session.ClientSession("shop") == nil {
				t.Fatalf("%s: no member: %v", responseType, err)
			}
			m := session.ClientSession("shop")
			if (a.AccessToken != "") != strings.Contains(responseType, " token") ||
				(a.IDToken != "") != strings.Contains(responseType, "id_token") ||
				a.RefreshToken != "" {
				t.Errorf("%s gives %+v", responseType, a)
			}
			if a.AccessToken != "" {
				if !r.Grant.Expires.Equal(now.Add(time.Duration(a.ExpiresIn) * time.Second)) {
					t.Errorf("%s: the grant outlives its token: %v", responseType, r.Grant.Expires)
				}
				end := now.Add(time.Duration(a.ExpiresIn) * time.Second)
				if format == "jwt" {
					_, claims := g.mustRead(a.AccessToken)
					if claims["exp"] != float64(end.Unix()) || m.JWT.Before(end) || !m.Opaque.IsZero() {
						t.Errorf("%s: exp %v, ledger %+v", responseType, claims["exp"], m.TokenExpiry)
					}
				} else if m.Opaque.Before(end) || !m.JWT.IsZero() {
					t.Errorf("%s: ends %v, ledger %+v", responseType, end, m.TokenExpiry)
				}
			}
			if a.IDToken != "" {
				_, claims := g.mustRead(a.IDToken)
				if claims["exp"] != float64(m.IDToken.Unix()) || m.LastIDToken.IsZero() || claims["sid"] != m.SID {
					t.Errorf("%s: %v, ledger %+v", responseType, claims, m.TokenExpiry)
				}
			} else if !m.LastIDToken.IsZero() {
				t.Errorf("%s: an ID token was noted that no client got", responseType)
			}
		}
	}
}

func TestClaimsAreInTheIDTokenOnlyWhereThereIsNoUserInfo(t *testing.T) {
	for responseType, want := range map[string]any{"id_token": "Alice", "id_token token": nil, "code id_token": nil} {
		g := newRig(t)
		a, _ := g.mustAuthorizationTokens(g.mustClient(nil), g.newCode("openid profile"), responseType, "x")
		if _, claims := g.mustRead(a.IDToken); claims["name"] != want {
			t.Errorf("%s: name %v, want %v", responseType, claims["name"], want)
		}
	}
}

func TestClaimsAboutAUserNeverReplaceThoseOfTheToken(t *testing.T) {
	g := newRig(t)
	c := g.mustClient(nil)
	code := g.newCode("openid")
	code.Claims = []byte(`{"id_token":{"sub":null,"iss":null,"aud":null,"exp":null,"sid":null,"name":null}}`)
	x := g.NewExchange(c, code, now)
	r, err := g.store.Redeem(t.Context(), code.Record(), now, x.Issue)
	if err != nil {
		t.Fatal(err)
	}
	evil := storage.User{
		Subject: "alice",
		Claims:  map[string]any{"sub": "bob", "iss": "x", "aud": "x", "exp": "x", "sid": "x", "name": "Alice"},
	}
	a, err := x.Respond(r, &evil)
	if err != nil {
		t.Fatal(err)
	}
	if _, claims := g.mustRead(a.IDToken); claims["sub"] != "alice" || claims["iss"] != issuer ||
		claims["aud"] != "shop" ||
		claims["sid"] != r.Grant.SID ||
		claims["name"] != "Alice" {
		t.Errorf("%v", claims)
	}
}
