package oauth_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/curfew-id/curfew/provider/oauth"
	"github.com/curfew-id/curfew/storage"
)

func (g *rig) mustMethod(id, method string) {
	g.mustClient(id, func(c *storage.Client) {
		c.TokenEndpointAuthMethod = method
		if method == "none" || method == "private_key_jwt" {
			c.SecretHash = storage.Hash{}
		}
	})
}

// Every way of authentication at every kind of client: only the registered one is let in.
func TestOnlyTheRegisteredWayOfAuthenticationCounts(t *testing.T) {
	ways := map[string]func(*http.Request, url.Values, string){
		"client_secret_basic": func(r *http.Request, v url.Values, id string) { r.SetBasicAuth(id, url.QueryEscape(secret)) },
		"client_secret_post": func(_ *http.Request, v url.Values, id string) {
			v.Set("client_id", id)
			v.Set("client_secret", secret)
		},
		"none": func(_ *http.Request, v url.Values, id string) { v.Set("client_id", id) },
	}
	g := newRig(t)
	for registered := range ways {
		g.mustMethod("at-"+registered, registered)
	}
	g.mustMethod("at-private_key_jwt", "private_key_jwt")
	g.mustMethod("at-client_secret_jwt", "client_secret_jwt")
	for _, registered := range []string{
		"client_secret_basic",
		"client_secret_post",
		"none",
		"private_key_jwt",
		"client_secret_jwt",
	} {
		for way, send := range ways {
			v := form("token", "cat_unknown")
			r := post(v)
			send(r, v, "at-"+registered)
			auth := r.Header.Get("Authorization")
			r = post(v)
			if auth != "" {
				r.Header.Set("Authorization", auth)
			}
			a := g.do(g.http.Revoke, r)
			if registered == way {
				if a.status != http.StatusOK {
					t.Errorf("%s by %s: %d %s", registered, way, a.status, a.body)
				}
				continue
			}
			g.mustRefuse(a, 401, "invalid_client")
			if got := strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Basic "); got != (auth != "") {
				t.Errorf("%s: got a challenge %v, want it only where Authorization was used", way, got)
			}
		}
	}
}

func TestBadCredentialsAreRefusedAtEveryEndpoint(t *testing.T) {
	g := newRig(t)
	g.mustClient("shop", nil)
	g.mustClient("gone", func(c *storage.Client) { c.Disabled = true })
	_, good := g.mustTokens("shop", "openid")
	requests := map[string]func(h http.Header, v url.Values){
		"wrong secret":     func(h http.Header, v url.Values) { basicAuth(h, "shop", secret+"!") },
		"empty secret":     func(h http.Header, v url.Values) { basicAuth(h, "shop", "") },
		"truncated secret": func(h http.Header, v url.Values) { basicAuth(h, "shop", secret[:len(secret)-1]) },
		"unknown client":   func(h http.Header, v url.Values) { basicAuth(h, "nobody", secret) },
		"disabled client":  func(h http.Header, v url.Values) { basicAuth(h, "gone", secret) },
		"no credentials":   func(h http.Header, v url.Values) {},
		"client_id alone":  func(h http.Header, v url.Values) { v.Set("client_id", "shop") },
		"a scheme unknown": func(h http.Header, v url.Values) { h.Set("Authorization", "Digest shop") },
		"bearer as client": func(h http.Header, v url.Values) { h.Set("Authorization", "Bearer "+good.text("access_token")) },
		"broken base64":    func(h http.Header, v url.Values) { h.Set("Authorization", "Basic !!!") },
		"no colon":         func(h http.Header, v url.Values) { h.Set("Authorization", "Basic c2hvcA==") },
		"broken escape":    func(h http.Header, v url.Values) { basicAuthRaw(h, "shop", "%zz") },
		"two headers": func(h http.Header, v url.Values) {
			basicAuth(h, "shop", secret)
			h.Add("Authorization", h.Get("Authorization"))
		},
		"assertion, no type": func(h http.Header, v url.Values) { v.Set("client_assertion", "a.b.c") },
		"assertion, wrong type": func(h http.Header, v url.Values) {
			v.Set("client_assertion", "a.b.c")
			v.Set("client_assertion_type", "saml")
		},
		"assertion, no JWT": func(h http.Header, v url.Values) {
			v.Set("client_assertion", "abc")
			v.Set("client_assertion_type", oauth.AssertionType)
		},
	}
	for name, set := range requests {
		for at, endpoint := range map[string]http.Handler{
			"token":      g.http.Token,
			"introspect": g.http.Introspect,
			"revoke":     g.http.Revoke,
		} {
			v := form(
				"token",
				good.text("access_token"),
				"grant_type",
				"refresh_token",
				"refresh_token",
				good.text("refresh_token"),
			)
			h := http.Header{}
			set(h, v)
			r := post(v)
			for k, values := range h {
				r.Header[k] = values
			}
			a := g.do(endpoint, r)
			hasChallenge := a.header.Get("WWW-Authenticate") != ""
			if a.status != 401 || a.text("error") != "invalid_client" ||
				hasChallenge != (h.Get("Authorization") != "") {
				t.Errorf("%s at %s: %d %s", name, at, a.status, a.body)
			}
		}
	}
	g.mustActive("shop", good.text("access_token"), true)
}

func basicAuth(h http.Header, id, secret string) { basicAuthRaw(h, id, url.QueryEscape(secret)) }

func basicAuthRaw(h http.Header, id, secret string) {
	r := http.Request{Header: h}
	r.SetBasicAuth(id, secret)
}

func TestTwoWaysAtOnceAreRefused(t *testing.T) {
	g := newRig(t)
	g.mustClient("shop", nil)
	for _, more := range [][]string{
		{"client_id", "shop", "client_secret", secret}, {"client_secret", secret}, {"client_id", "other"},
		{"client_assertion", "a.b.c", "client_assertion_type", oauth.AssertionType},
	} {
		g.mustRefuse(
			g.postAs("shop", g.http.Revoke, append([]string{"token", "x"}, more...)...),
			400,
			"invalid_request",
		)
	}
	if a := g.postAs("shop", g.http.Revoke, "token", "x", "client_id", "shop"); a.status != http.StatusOK {
		t.Errorf("client_id beside the header: %d %s", a.status, a.body)
	}
}

// TestParametersWithoutAValueAreLeftOut (RFC 6749 §3.2): libraries send client_secret= for clients without one, or
// beside another way.
func TestParametersWithoutAValueAreLeftOut(t *testing.T) {
	g := newRig(t)
	g.mustClient("shop", nil)
	g.mustMethod("public", "none")
	empty := []string{"client_secret", "", "client_assertion", "", "client_assertion_type", "", "token_type_hint", ""}
	if a := g.postAs("shop", g.http.Revoke, append([]string{"token", "x"}, empty...)...); a.status != http.StatusOK {
		t.Errorf("beside the header: %d %s", a.status, a.body)
	}
	if a := g.do(g.http.Revoke, post(form(append([]string{
		"token",
		"x",
		"client_id",
		"public",
	}, empty...)...))); a.status != http.StatusOK {
		t.Errorf("from a public client: %d %s", a.status, a.body)
	}
	// It proves nothing either.
	g.mustRefuse(
		g.do(g.http.Revoke, post(form("token", "x", "client_id", "shop", "client_secret", ""))),
		401,
		"invalid_client",
	)
	g.mustRefuse(
		g.do(g.http.Revoke, post(form("token", "x", "client_id", "", "client_secret", secret))),
		401,
		"invalid_client",
	)
}

func TestBasicCredentialsAreFormEncoded(t *testing.T) {
	g := newRig(t)
	odd := "a:b%c+d e/äöü, thirty-two characters and more"
	g.mustClient("https://shop.example/a b", func(c *storage.Client) { c.SecretHash = storage.HashOf(odd) })
	r := post(form("token", "x"))
	r.SetBasicAuth(url.QueryEscape("https://shop.example/a b"), url.QueryEscape(odd))
	if a := g.do(g.http.Revoke, r); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
}

// TestSecretThatWasNotFormEncodedIsTakenAsSent: many clients leave out the encoding of RFC 6749 §2.3.1. A wrong
// secret stays wrong.
func TestSecretThatWasNotFormEncodedIsTakenAsSent(t *testing.T) {
	g := newRig(t)
	for name, odd := range map[string]string{
		"plus":    "thirty-two+characters+and+some+more",
		"percent": "thirty-two%characters%and%some%more",
		"escape":  "thirty-two%20characters%41and%some",
	} {
		g.mustClient(name, func(c *storage.Client) { c.SecretHash = storage.HashOf(odd) })
		for text, want := range map[string]int{
			odd:                  http.StatusOK,
			url.QueryEscape(odd): http.StatusOK,
			odd + "x":            http.StatusUnauthorized,
		} {
			for at, endpoint := range map[string]http.Handler{
				"introspect": g.http.Introspect,
				"revoke":     g.http.Revoke,
			} {
				r := post(form("token", "x"))
				basicAuthRaw(r.Header, name, text)
				if a := g.do(endpoint, r); a.status != want {
					t.Errorf("%s, %q at %s: got %d %s, want %d", name, text, at, a.status, a.body, want)
				}
			}
		}
	}
}

// TestClientWithoutAMethodIsTakenByBasicAndPost: an operator who names no method need not know which one the client's
// library uses.
func TestClientWithoutAMethodIsTakenByBasicAndPost(t *testing.T) {
	g := newRig(t)
	g.mustMethod("shop", "")
	if a := g.postAs("shop", g.http.Revoke, "token", "x"); a.status != http.StatusOK {
		t.Errorf("basic: got %d %s", a.status, a.body)
	}
	if a := g.do(g.http.Revoke, post(form("token", "x", "client_id", "shop", "client_secret", secret))); a.status != http.StatusOK {
		t.Errorf("post: got %d %s", a.status, a.body)
	}
	g.mustRefuse(g.do(g.http.Revoke, post(form("token", "x", "client_id", "shop"))), 401, "invalid_client")
}

func TestClientIsHeldToItsGrantTypes(t *testing.T) {
	g := newRig(t)
	g.mustClient("shop", func(c *storage.Client) { c.GrantTypes = nil })
	s := g.mustSession("alice")
	a := g.redeem("shop", g.mustCode(s, "shop", "openid offline_access", nil))
	if a.status != http.StatusOK || a.text("refresh_token") != "" {
		t.Fatalf("a client without refresh_token got one: %s", a.body)
	}
	g.mustRefuse(g.postAs("shop", g.http.Token, "grant_type", "client_credentials"), 400, "unauthorized_client")
	g.mustRefuse(g.refresh("shop", "crt_x"), 400, "unauthorized_client")
	for _, grant := range []string{
		"password",
		"urn:ietf:params:oauth:grant-type:jwt-bearer",
		"urn:ietf:params:oauth:grant-type:token-exchange",
		`x"<b>`,
		"implicit",
	} {
		a := g.postAs("shop", g.http.Token, "grant_type", grant)
		g.mustRefuse(a, 400, "unsupported_grant_type")
		if strings.Contains(a.body, "<b>") {
			t.Errorf("the answer repeats the request: %s", a.body)
		}
	}
}

// TestEmptyBasicPasswordIsNoAuthentication: some libraries send the header for a public client. It proves nothing for
// another.
func TestEmptyBasicPasswordIsNoAuthentication(t *testing.T) {
	g := newRig(t)
	g.mustMethod("public", "none")
	g.mustClient("shop", nil)
	for client, want := range map[string]int{"public": http.StatusOK, "shop": http.StatusUnauthorized} {
		r := post(form("token", "x"))
		basicAuthRaw(r.Header, client, "")
		if a := g.do(g.http.Revoke, r); a.status != want {
			t.Errorf("%s: got %d %s, want %d", client, a.status, a.body, want)
		}
	}
}

// TestResourceIsHonouredOrRefused: RFC 8707 §2 allows several; none is ignored.
func TestResourceIsHonouredOrRefused(t *testing.T) {
	g := newRig(t)
	g.mustClient("plain", nil)
	g.mustClient("api", func(c *storage.Client) { c.Audience = []string{"https://a.example", "https://b.example"} })
	all := []string{"resource", "https://b.example", "resource", "https://a.example"}
	for _, c := range []struct {
		client    string
		resources []string
		code      string
	}{
		{"plain", nil, ""},
		{"plain", all, "invalid_target"},
		{"api", all, ""},
		{"api", all[:2], "invalid_target"},
		{"api", append([]string{"resource", "https://c.example"}, all...), "invalid_target"},
	} {
		a := g.postAs(c.client, g.http.Token, append([]string{"grant_type", "client_credentials"}, c.resources...)...)
		if a.text("error") != c.code {
			t.Errorf("%s %v: got %d %s, want %q", c.client, c.resources, a.status, a.body, c.code)
		}
	}
}

// TestPreflightAllowsTheHeadersThatAScriptAsksFor: tracing libraries add theirs. No cookie is involved.
func TestPreflightAllowsTheHeadersThatAScriptAsksFor(t *testing.T) {
	g := newRig(t)
	for requested, want := range map[string]string{
		"":                                       "Authorization, Content-Type",
		"content-type,traceparent, sentry-trace": "Authorization, Content-Type, content-type,traceparent, sentry-trace",
		"x\r\nSet-Cookie: a=b":                   "Authorization, Content-Type",
		strings.Repeat("x", 1001):                "Authorization, Content-Type",
	} {
		r := httptest.NewRequest(http.MethodOptions, "/token", nil)
		r.Header.Set("Access-Control-Request-Headers", requested)
		a := g.do(g.http.Token, r)
		if got := a.header.Get("Access-Control-Allow-Headers"); got != want ||
			a.header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%.60q: got %.80q, want %.80q and no credentials", requested, got, want)
		}
	}
}
