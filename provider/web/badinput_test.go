package web_test

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
	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
)

// hostile are texts that became script, header or markup somewhere.
var hostile = []string{
	`"><script>alert(1)</script>`,
	`'><img src=x onerror=alert(1)>`,
	`javascript:alert(1)`,
	"x\r\nSet-Cookie: a=b\r\n\r\n<script>alert(1)</script>",
	`</title><svg/onload=alert(1)>`,
	`{{.}}`,
	`\u003cscript\u003ealert(1)`,
	"\x00<script>alert(1)</script>",
	`" autofocus onfocus="alert(1)`,
	`--><script>alert(1)</script>`,
	"\xff\xfe<script>",
}

// mustBeText wants nothing of a hostile text to have become markup, script or a header.
func mustBeText(p providertest.Page, t *testing.T, where string) {
	t.Helper()
	for _, bad := range []string{
		"<script>alert",
		"<img src=x",
		"<svg/onload",
		`" autofocus onfocus="`,
		`href="javascript:`,
		`action="javascript:`,
	} {
		if strings.Contains(p.Body, bad) {
			t.Errorf("%s: got %s in the page", where, bad)
		}
	}
	if p.Status >= 500 || strings.Contains(strings.Join(p.Header.Values("Set-Cookie"), ""), "a=b") ||
		strings.ContainsAny(p.Header.Get("Location"), "\r\n<>\"") {
		t.Errorf("%s: got %d to %q", where, p.Status, p.Header.Get("Location"))
	}
}

// TestHostileTextStaysText: in every parameter, every response mode and every form.
func TestHostileTextStaysText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, func(c *provider.Config) { c.Mail = providertest.DiscardMail{} })
		o.MustAddClient("atlas", nil)
		b := o.Browser()
		hint := b.MustJoin("alice", "atlas").IDToken
		for _, bad := range hostile {
			for _, name := range []string{
				"client_id",
				"redirect_uri",
				"response_type",
				"response_mode",
				"scope",
				"state",
				"nonce",
				"prompt",
				"max_age",
				"login_hint",
				"id_token_hint",
				"claims",
				"display",
				"ui_locales",
				"acr_values",
				"request",
				"request_uri",
				"code_challenge",
				"code_challenge_method",
				bad,
			} {
				for _, mode := range []string{"query", "form_post", "fragment"} {
					more := []string{"response_mode", mode, name, bad}
					for _, who := range []*providertest.Browser{b.Copy(), o.Browser()} {
						mustBeText(who.Get(providertest.AuthorizeURL("atlas", more...)), t, name)
						mustBeText(
							who.Get(providertest.AuthorizeURL("atlas", append(more, "prompt", "none")...)),
							t,
							name,
						)
					}
				}
				mustBeText(
					o.Browser().
						Do(http.MethodPost, "/authorize", url.Values{
							"client_id": {"atlas"},
							name:        {bad},
						}, http.Header{"Sec-Fetch-Site": {"cross-site"}}),
					t,
					name,
				)
			}
			for _, name := range []string{
				"id_token_hint",
				"logout_hint",
				"client_id",
				"post_logout_redirect_uri",
				"state",
				"ui_locales",
				"request",
				bad,
			} {
				mustBeText(b.Copy().Get(providertest.EndSessionURL(name, bad)), t, name)
				mustBeText(
					b.Copy().
						Get(providertest.EndSessionURL("client_id", "atlas", "post_logout_redirect_uri", "https://atlas.example/bye", name, bad)),
					t,
					name,
				)
				mustBeText(
					o.Browser().
						Get(providertest.EndSessionURL("id_token_hint", hint, "post_logout_redirect_uri", "https://atlas.example/bye", "state", bad)),
					t,
					name,
				)
			}
			signIn := o.Browser()
			mustBeText(
				signIn.Submit(
					signIn.Get(providertest.AuthorizeURL("atlas")),
					"username",
					bad,
					"password",
					bad,
					"keep",
					bad,
				),
				t,
				"username",
			)
			mustBeText(
				b.Copy().SubmitSecurity("/account/email", "email", bad, "current-password", providertest.Password),
				t,
				"email",
			)
			for _, path := range []string{
				"/account?done=",
				"/account/activity?after=",
				"/nowhere/",
				"/login/",
				"/reset/",
				"/account/reports/",
			} {
				mustBeText(b.Get(path+url.PathEscape(bad)), t, path)
			}
		}
	})
}

// TestStateComesBackAsItWas in the page that posts it, however hostile.
func TestStateComesBackAsItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("atlas", nil)
		for _, state := range []string{hostile[0], hostile[1], `a b+c%20&d=e;f"'<>`, "é✓"} {
			for _, mode := range []string{"query", "fragment", "form_post"} {
				p := o.Browser().
					Get(providertest.AuthorizeURL("atlas", "prompt", "none", "response_mode", mode, "state", state))
				var got string
				if mode == "form_post" {
					_, fields := p.Form(t)
					got = fields.Get("state")
				} else {
					got = p.ResponseParams(t).Get("state")
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
		o := providertest.MustStart(t, nil)
		o.MustAddClient("atlas", nil)
		for name, c := range map[string]struct {
			kind, body string
			status     int
		}{
			"too large": {
				"application/x-www-form-urlencoded",
				"x=" + strings.Repeat("x", 70_000),
				http.StatusRequestEntityTooLarge,
			},
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
				o.Provider.ServeHTTP(w, r)
				if w.Code != c.status || !strings.Contains(w.Body.String(), `id="error-description"`) {
					t.Errorf("%s at %s: got %d, want %d and an error page", name, path, w.Code, c.status)
				}
			}
		}
		if p := o.Browser().Get("/authorize?client_id=%zz"); p.Status != http.StatusBadRequest {
			t.Errorf("got %d for a query that is not well formed, want 400", p.Status)
		}
	})
}

// TestNoSecretIsLogged: after a whole life of a session, at the finest level, the log holds nothing that an attacker
// could use.
func TestNoSecretIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		o := providertest.MustStart(t, func(c *provider.Config) {
			c.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		})
		o.MustAddClient("atlas", func(m *storage.Metadata) { m.Consent = "" })
		b := o.Browser()
		location := b.Do(
			http.MethodGet,
			providertest.AuthorizeURL("atlas", "state", "secretstate", "nonce", "secretnonce"),
			nil,
			nil,
		).Header.Get(
			"Location",
		)
		p := b.Submit(b.Get(location), "username", "alice", "password", "a wrong secret")
		p = b.Submit(p, "username", "alice", "password", providertest.Password)
		code := b.Submit(p, "decision", "allow").ResponseParams(t).Get("code")
		a := o.Redeem("atlas", code)
		cookie, link := b.Cookies["__Host-curfew-session"], o.MustMakeResetLink("alice")
		b.Get(link)
		o.Token("atlas", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {a.RefreshToken}})
		b.Get(providertest.EndSessionURL("id_token_hint", a.IDToken))
		synctest.Wait()
		o.StopWork()
		text := html.UnescapeString(log.String())
		for name, secret := range map[string]string{
			"password":       providertest.Password,
			"wrong password": "a wrong secret",
			"session":        cookie,
			"code":           code,
			"access token":   a.AccessToken,
			"refresh token":  a.RefreshToken,
			"ID token":       a.IDToken[:60],
			"sid":            providertest.MustReadClaims(t, a.IDToken)["sid"].(string),
			"reset link":     strings.TrimPrefix(link, "/reset/")[:20],
			"interaction":    strings.TrimPrefix(location, "/login/")[:40],
			"state":          "secretstate",
			"nonce":          "secretnonce",
			"client secret":  providertest.Secret,
		} {
			if strings.Contains(text, secret) {
				t.Errorf("got the %s in the log", name)
			}
		}
		if !strings.Contains(text, "path=/reset/{link}") || !strings.Contains(text, `msg="session ended"`) {
			t.Errorf("got no line for the link or the ending:\n%s", text)
		}
	})
}
