package provider_test

import (
	"bytes"
	"html"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/curfew-id/curfew/provider"
	"github.com/curfew-id/curfew/storage"
)

// hostile are texts that became script, header or markup somewhere.
var hostile = []string{`"><script>alert(1)</script>`, `'><img src=x onerror=alert(1)>`, `javascript:alert(1)`, "x\r\nSet-Cookie: a=b\r\n\r\n<script>alert(1)</script>", `</title><svg/onload=alert(1)>`,
	`{{.}}`, `\u003cscript\u003ealert(1)`, "\x00<script>alert(1)</script>", `" autofocus onfocus="alert(1)`, `--><script>alert(1)</script>`, "\xff\xfe<script>"}

// mustBeText wants nothing of a hostile text to have become markup, script or a header.
func (p page) mustBeText(t *testing.T, where string) {
	t.Helper()
	for _, bad := range []string{"<script>alert", "<img src=x", "<svg/onload", `" autofocus onfocus="`, `href="javascript:`, `action="javascript:`} {
		if strings.Contains(p.Body, bad) {
			t.Errorf("%s: got %s in the page", where, bad)
		}
	}
	if p.Status >= 500 || strings.Contains(strings.Join(p.Header.Values("Set-Cookie"), ""), "a=b") || strings.ContainsAny(p.Header.Get("Location"), "\r\n<>\"") {
		t.Errorf("%s: got %d to %q", where, p.Status, p.Header.Get("Location"))
	}
}

// TestHostileTextStaysText: in every parameter, every response mode and every form.
func TestHostileTextStaysText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := mustStart(t, nil)
		o.mustAddClient("atlas", nil)
		b := o.browser()
		hint := b.mustJoin("alice", "atlas").IDToken
		for _, bad := range hostile {
			for _, name := range []string{"client_id", "redirect_uri", "response_type", "response_mode", "scope", "state", "nonce", "prompt", "max_age", "login_hint", "id_token_hint", "claims", "display",
				"ui_locales", "acr_values", "request", "request_uri", "code_challenge", "code_challenge_method", bad} {
				for _, mode := range []string{"query", "form_post", "fragment"} {
					more := []string{"response_mode", mode, name, bad}
					for _, who := range []*browser{b.copy(), o.browser()} {
						who.get(authorizeURL("atlas", more...)).mustBeText(t, name)
						who.get(authorizeURL("atlas", append(more, "prompt", "none")...)).mustBeText(t, name)
					}
				}
				o.browser().do(http.MethodPost, "/authorize", url.Values{"client_id": {"atlas"}, name: {bad}}, http.Header{"Sec-Fetch-Site": {"cross-site"}}).mustBeText(t, name)
			}
			for _, name := range []string{"id_token_hint", "logout_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales", "request", bad} {
				b.copy().get(endSession(name, bad)).mustBeText(t, name)
				b.copy().get(endSession("client_id", "atlas", "post_logout_redirect_uri", "https://atlas.example/bye", name, bad)).mustBeText(t, name)
				o.browser().get(endSession("id_token_hint", hint, "post_logout_redirect_uri", "https://atlas.example/bye", "state", bad)).mustBeText(t, name)
			}
			signIn := o.browser()
			signIn.submit(signIn.get(authorizeURL("atlas")), "username", bad, "password", bad, "keep", bad).mustBeText(t, "username")
			b.copy().security("/account/email", "email", bad, "current-password", testPassword).mustBeText(t, "email")
			for _, path := range []string{"/account?done=", "/account/activity?after=", "/nowhere/", "/login/", "/reset/", "/account/reports/"} {
				b.get(path+url.PathEscape(bad)).mustBeText(t, path)
			}
		}
	})
}

// TestStateComesBackAsItWas in the page that posts it, however hostile.
func TestStateComesBackAsItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := mustStart(t, nil)
		o.mustAddClient("atlas", nil)
		for _, state := range []string{hostile[0], hostile[1], `a b+c%20&d=e;f"'<>`, "é✓"} {
			for _, mode := range []string{"query", "fragment", "form_post"} {
				p := o.browser().get(authorizeURL("atlas", "prompt", "none", "response_mode", mode, "state", state))
				var got string
				if mode == "form_post" {
					_, fields := p.form(t)
					got = fields.Get("state")
				} else {
					got = p.responseParams(t).Get("state")
				}
				if got != state {
					t.Errorf("%s: got state %q, want %q", mode, got, state)
				}
			}
		}
	})
}

// TestBodiesThatAreNoFormsAreRefused: too large, of another type, or not well formed.
func TestBodiesThatAreNoFormsAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := mustStart(t, nil)
		o.mustAddClient("atlas", nil)
		for name, c := range map[string]struct {
			kind, body string
			status     int
		}{
			"too large":    {"application/x-www-form-urlencoded", "x=" + strings.Repeat("x", 70_000), http.StatusRequestEntityTooLarge},
			"JSON":         {"application/json", `{"client_id":"atlas"}`, http.StatusBadRequest},
			"multipart":    {"multipart/form-data; boundary=x", "--x--", http.StatusBadRequest},
			"no type":      {"", "client_id=atlas", http.StatusBadRequest},
			"a bad escape": {"application/x-www-form-urlencoded", "client_id=%zz", http.StatusBadRequest},
		} {
			for _, path := range []string{"/authorize", "/end_session", "/end_session/confirm"} {
				r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(c.body))
				r.Header.Set("Content-Type", c.kind)
				r.Header.Set("Sec-Fetch-Site", "same-origin")
				w := httptest.NewRecorder()
				o.provider.ServeHTTP(w, r)
				if w.Code != c.status || !strings.Contains(w.Body.String(), `id="error-description"`) {
					t.Errorf("%s at %s: got %d, want %d and an error page", name, path, w.Code, c.status)
				}
			}
		}
		if p := o.browser().get("/authorize?client_id=%zz"); p.Status != http.StatusBadRequest {
			t.Errorf("got %d for a query that is not well formed, want 400", p.Status)
		}
	})
}

// TestNoSecretIsLogged: after a whole life of a session, at the finest level, the log holds nothing that anybody could use.
func TestNoSecretIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		o := mustStart(t, func(c *provider.Config) {
			c.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		})
		o.mustAddClient("atlas", func(m *storage.Metadata) { m.Consent = "" })
		b := o.browser()
		location := b.do(http.MethodGet, authorizeURL("atlas", "state", "secretstate", "nonce", "secretnonce"), nil, nil).Header.Get("Location")
		p := b.submit(b.get(location), "username", "alice", "password", "a wrong secret")
		p = b.submit(p, "username", "alice", "password", testPassword)
		code := b.submit(p, "decision", "allow").responseParams(t).Get("code")
		a := o.redeem("atlas", code)
		cookie, link := b.cookies["__Host-curfew-session"], o.mustResetLink("alice")
		b.get(link)
		o.token("atlas", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {a.RefreshToken}})
		b.get(endSession("id_token_hint", a.IDToken))
		synctest.Wait()
		o.stop()
		<-o.done
		text := html.UnescapeString(log.String())
		for name, secret := range map[string]string{"password": testPassword, "wrong password": "a wrong secret", "session": cookie, "code": code, "access token": a.AccessToken, "refresh token": a.RefreshToken,
			"ID token": a.IDToken[:60], "sid": claims(t, a.IDToken)["sid"].(string), "reset link": strings.TrimPrefix(link, "/reset/")[:20], "interaction": strings.TrimPrefix(location, "/login/")[:40],
			"state": "secretstate", "nonce": "secretnonce", "client secret": secret} {
			if strings.Contains(text, secret) {
				t.Errorf("got the %s in the log", name)
			}
		}
		if !strings.Contains(text, "path=/reset/{link}") || !strings.Contains(text, `msg="session ended"`) {
			t.Errorf("got no line for the link or the ending:\n%s", text)
		}
	})
}
