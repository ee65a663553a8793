package oauth_test

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/curfew-id/curfew/provider/oauth"
	"github.com/curfew-id/curfew/storage"
)

func TestOnlyPostWithAFormReachesTheEndpoints(t *testing.T) {
	g := newRig(t)
	g.mustClient("shop", nil)
	good := form(
		"grant_type",
		"client_credentials",
		"client_id",
		"shop",
		"client_secret",
		secret,
		"token",
		"x",
	).Encode()
	for name, c := range map[string]struct {
		request func() *http.Request
		status  int
	}{
		"GET with secrets in the query": {
			func() *http.Request { return httptest.NewRequest(http.MethodGet, "/token?"+good, nil) },
			405,
		},
		"PUT": {
			func() *http.Request { return httptest.NewRequest(http.MethodPut, "/token", strings.NewReader(good)) },
			405,
		},
		"POST with a query": {
			func() *http.Request { return httptest.NewRequest(http.MethodPost, "/token?"+good, nil) },
			400,
		},
		"POST with a form and a query": {func() *http.Request {
			r := typed("application/x-www-form-urlencoded", good)
			r.URL.RawQuery = "resource=x"
			return r
		}, 400},
		"no content type": {
			func() *http.Request { return httptest.NewRequest(http.MethodPost, "/token", strings.NewReader(good)) },
			400,
		},
		"JSON": {
			func() *http.Request { return typed("application/json", `{"grant_type":"client_credentials"}`) },
			400,
		},
		"multipart": {func() *http.Request { return typed("multipart/form-data; boundary=x", good) }, 400},
		"broken escapes": {
			func() *http.Request { return typed("application/x-www-form-urlencoded", "grant_type=%zz") },
			400,
		},
		"too large": {func() *http.Request {
			return typed("application/x-www-form-urlencoded", good+"&x="+strings.Repeat("x", 70<<10))
		}, 413},
		"too large, length unknown": {
			func() *http.Request { return chunked(good + "&x=" + strings.Repeat("x", 70<<10)) },
			400,
		},
		"grant_type twice": {func() *http.Request {
			return typed("application/x-www-form-urlencoded", good+"&grant_type=client_credentials")
		}, 400},
		"unknown parameter twice": {
			func() *http.Request { return typed("application/x-www-form-urlencoded", good+"&z=1&z=2") },
			400,
		},
		"client_secret twice": {func() *http.Request {
			return typed("application/x-www-form-urlencoded", good+"&client_secret="+url.QueryEscape(secret))
		}, 400},
	} {
		for at, endpoint := range map[string]http.Handler{
			"token":      g.http.Token,
			"introspect": g.http.Introspect,
			"revoke":     g.http.Revoke,
		} {
			a := g.do(endpoint, c.request())
			if a.status != c.status || a.text("error") != "invalid_request" ||
				a.header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s at %s: %d %s", name, at, a.status, a.body)
			}
		}
	}
}

func typed(kind, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", kind)
	return r
}

func chunked(body string) *http.Request {
	r := typed("application/x-www-form-urlencoded", body)
	r.ContentLength = -1
	return r
}

func TestMissingParametersAreNamed(t *testing.T) {
	g := newRig(t)
	g.mustClient("shop", nil)
	for _, c := range []struct {
		endpoint http.Handler
		pairs    []string
		want     string
	}{
		{g.http.Token, nil, "grant_type"},
		{g.http.Token, []string{"grant_type", "authorization_code"}, "code"},
		{g.http.Token, []string{"grant_type", "authorization_code", "code", "x"}, "redirect_uri"},
		{g.http.Token, []string{"grant_type", "refresh_token"}, "refresh_token"},
		{g.http.Introspect, nil, "token"},
		{g.http.Revoke, nil, "token"},
	} {
		a := g.postAs("shop", c.endpoint, c.pairs...)
		if a.status != 400 || a.text("error") != "invalid_request" ||
			!strings.Contains(a.text("error_description"), c.want) {
			t.Errorf("%v: %d %s", c.pairs, a.status, a.body)
		}
	}
}

// Unsigned, foreign and malformed JWTs of any shape are refused, and none of them panics.
func TestMalformedTokensOfAnyShapeAreRefused(t *testing.T) {
	g := newRig(t)
	g.mustClient("shop", func(c *storage.Client) { c.AccessTokenFormat = "jwt" })
	_, a := g.mustTokens("shop", "openid")
	good := a.text("access_token")
	parts := strings.Split(good, ".")
	b64 := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	stranger := mustSigner(t, "k1")
	shapes := []string{
		"",
		".",
		"..",
		"...",
		"....",
		"a.b.c",
		good + ".",
		"." + good,
		good[:len(good)-1],
		good + "A",
		parts[0] + "." + parts[1] + ".",
		parts[0] + ".." + parts[2],
		b64(
			`{"alg":"none","typ":"at+jwt"}`,
		) + "." + parts[1] + ".",
		b64(`{"alg":"HS256","typ":"at+jwt"}`) + "." + parts[1] + "." + parts[2],
		b64(`{"alg":"ES256","typ":"at+jwt"}`) + "." + b64(`{"aud":[1]}`) + "." + parts[2],
		stranger.sign(t, map[string]any{"iss": issuer, "aud": []any{1}, "sub": "alice"}),
		stranger.sign(t, map[string]any{"iss": issuer, "aud": map[string]any{"a": 1}, "exp": "never", "sub": []int{1}}),
		b64(
			`null`,
		) + "." + b64(
			`null`,
		) + "." + b64(
			`null`,
		),
		b64(`[]`) + "." + b64(`[]`) + ".x",
		b64(`{"alg":1}`) + "." + b64(`{}`) + ".x",
		b64(`{"alg":"ES256","crit":["x"],"x":1}`) + "." + parts[1] + "." + parts[2],
		b64(
			`{"alg":"dir","enc":"A256GCM","zip":"DEF"}`,
		) + "...." + b64(
			"x",
		),
		strings.Repeat("a.", 20000),
		strings.Repeat("A", 60000),
		"cat_",
		"cat_" + strings.Repeat("A", 42),
		"cat_" + strings.Repeat("A", 44),
		"cat_" + strings.Repeat("A", 43),
		"crt_" + strings.Repeat("A", 43),
		"\x00",
		"a b c",
		`"><script>`,
	}
	for _, shape := range shapes {
		short := shape[:min(len(shape), 60)]
		g.mustActiveIs(shape, short)
		if a := g.postAs("shop", g.http.Revoke, "token", shape); shape != "" && a.status != http.StatusOK {
			t.Errorf("revoke %q: %d %s", short, a.status, a.body)
		}
		for _, r := range []*http.Request{bearerRequest(shape), post(form("access_token", shape))} {
			if a := g.do(g.http.UserInfo, r); a.status != http.StatusUnauthorized {
				t.Errorf("userinfo %q: %d %s", short, a.status, a.body)
			}
		}
		if a := g.redeem("shop", shape); a.status != http.StatusBadRequest {
			t.Errorf("code %q: %d %s", short, a.status, a.body)
		}
		if a := g.refresh("shop", shape); a.status != http.StatusBadRequest {
			t.Errorf("refresh %q: %d %s", short, a.status, a.body)
		}
	}
	g.mustActive("shop", good, true)
}

func (g *rig) mustActiveIs(token, short string) {
	g.t.Helper()
	a := g.postAs("shop", g.http.Introspect, "token", token)
	if token == "" {
		g.mustRefuse(a, 400, "invalid_request")
		return
	}
	if a.status != http.StatusOK || strings.TrimSpace(a.body) != `{"active":false}` {
		g.t.Errorf("introspect %q: %d %s", short, a.status, a.body)
	}
}

func bearerRequest(token string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header["Authorization"] = []string{"Bearer " + token}
	return r
}

func TestScriptsOfOtherOriginsMayCallWithoutCookies(t *testing.T) {
	g := newRig(t)
	for name, c := range map[string]struct {
		endpoint http.Handler
		open     bool
	}{
		"token":      {g.http.Token, true},
		"userinfo":   {g.http.UserInfo, true},
		"jwks":       {g.http.JWKS, true},
		"revoke":     {g.http.Revoke, true},
		"introspect": {g.http.Introspect, false},
	} {
		for _, method := range []string{http.MethodOptions, http.MethodPost} {
			r := httptest.NewRequest(method, "/", nil)
			r.Header.Set("Origin", "https://spa.example")
			r.Header.Set("Access-Control-Request-Method", "POST")
			h := g.do(c.endpoint, r).header
			if got := h.Get("Access-Control-Allow-Origin"); c.open != (got == "*") {
				t.Errorf("%s %s: allowed origin %q", method, name, got)
			}
			if h.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s %s allows cookies", method, name)
			}
		}
	}
}

func TestKeysAreServedReady(t *testing.T) {
	g := newRig(t)
	a := g.do(g.http.JWKS, httptest.NewRequest(http.MethodGet, "/jwks", nil))
	if a.status != 200 || !strings.Contains(a.body, `"kid"`) || strings.Contains(a.body, `"d"`) ||
		a.header.Get("Cache-Control") != oauth.JWKSCacheControl {
		t.Fatalf("%d %v %s", a.status, a.header, a.body)
	}
	r := httptest.NewRequest(http.MethodGet, "/jwks", nil)
	r.Header.Set("If-None-Match", a.header.Get("ETag"))
	if again := g.do(g.http.JWKS, r); again.status != http.StatusNotModified || again.body != "" {
		t.Errorf("%d %q", again.status, again.body)
	}
	if a := g.do(g.http.JWKS, httptest.NewRequest(http.MethodDelete, "/jwks", nil)); a.status != http.StatusMethodNotAllowed {
		t.Errorf("DELETE: %d", a.status)
	}
}
