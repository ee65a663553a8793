package web_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-id/curfew/provider"
	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
)

var (
	inline   = regexp.MustCompile(`(?i)<script(?:[^>]*)>[^<]+</script>|<style|\sstyle=|\son[a-z]+=["']|javascript:`)
	external = regexp.MustCompile(`(?:src|href)="(?:https?:)?//[^"]*"`)
)

// TestEveryAnswerCarriesItsHeaders crawls the pages, errors among them: what a browser may do with each is said in
// each.
func TestEveryAnswerCarriesItsHeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, func(c *provider.Config) { c.HSTS = web.HSTS{MaxAge: 365 * 24 * time.Hour} })
		o.MustAddClient(
			"atlas",
			func(m *storage.Metadata) { m.Consent, m.FrontchannelLogoutURI = "", "https://atlas.example/front" },
		)
		b, empty := o.Browser(), o.Browser()
		pages := map[string]providertest.Page{"sign-in": b.Get(providertest.AuthorizeURL("atlas"))}
		pages["wrong password"] = b.Submit(pages["sign-in"], "username", "alice", "password", "x")
		pages["consent"] = b.Submit(pages["sign-in"], "username", "alice", "password", providertest.Password)
		pages["answer"] = b.Submit(pages["consent"], "decision", "allow")
		hint := o.Redeem("atlas", pages["answer"].ResponseParams(t).Get("code")).IDToken
		pages["form_post"] = b.Get(providertest.AuthorizeURL("atlas", "response_mode", "form_post"))
		pages["reset"], pages["link over"] = empty.Get(o.MustMakeResetLink("alice")), empty.Get("/reset/x")
		for _, path := range []string{
			"/account",
			"/account/applications",
			"/account/security",
			"/account/activity",
			"/end_session",
			"/signed-out/meaning",
			"/nowhere",
			"/account/sessions",
			"/authorize",
			"/login/x",
			"/",
		} {
			pages[path], pages[path+" for nobody"] = b.Get(path), empty.Get(path)
		}
		pages["foreign form"] = b.Do(
			http.MethodPost,
			"/account/sessions",
			url.Values{},
			http.Header{"Sec-Fetch-Site": {"cross-site"}},
		)
		pages["repost"] = empty.Do(
			http.MethodPost,
			"/authorize",
			url.Values{"client_id": {"atlas"}},
			http.Header{"Sec-Fetch-Site": {"cross-site"}},
		)
		pages["script's question"], pages["discovery"] = b.Get(
			"/account/probe",
		), b.Get(
			"/.well-known/openid-configuration",
		)
		pages["signed out"] = b.Get(providertest.EndSessionURL("id_token_hint", hint))
		for name, p := range pages {
			h := p.Header
			for header, want := range map[string]string{
				"X-Content-Type-Options":    "nosniff",
				"Strict-Transport-Security": "max-age=31536000",
			} {
				if got := h.Get(header); got != want {
					t.Errorf("%s: got %s %q, want %q", name, header, got, want)
				}
			}
			if h.Get("X-Request-Id") == "" ||
				h.Get("Referrer-Policy") != "no-referrer" && h.Get("Referrer-Policy") != "same-origin" {
				t.Errorf(
					"%s: got request id %q and Referrer-Policy %q",
					name,
					h.Get("X-Request-Id"),
					h.Get("Referrer-Policy"),
				)
			}
			if name != "discovery" &&
				(h.Get("Cache-Control") != "no-store" || h.Get("Access-Control-Allow-Origin") != "") {
				t.Errorf(
					"%s: got Cache-Control %q and CORS for %q",
					name,
					h.Get("Cache-Control"),
					h.Get("Access-Control-Allow-Origin"),
				)
			}
			if !strings.HasPrefix(h.Get("Content-Type"), "text/html") {
				continue
			}
			csp := h.Get("Content-Security-Policy")
			for _, part := range []string{
				"default-src 'none'",
				"script-src 'self'",
				"style-src 'self'",
				"base-uri 'none'",
				"object-src 'none'",
				"frame-ancestors 'none'",
			} {
				if !strings.Contains(csp, part) {
					t.Errorf("%s: got a policy without %s: %s", name, part, csp)
				}
			}
			if strings.Contains(csp, "unsafe") || strings.Contains(csp, "*") || h.Get("X-Frame-Options") != "DENY" ||
				h.Get("Cross-Origin-Opener-Policy") != "same-origin" ||
				h.Get("Cross-Origin-Resource-Policy") != "same-origin" {
				t.Errorf("%s: got %v", name, h)
			}
			if m := inline.FindString(p.Body); m != "" {
				t.Errorf("%s: got something inline, which the policy forbids: %s", name, m)
			}
			if strings.Contains(p.Body, "<form") && h.Get("Referrer-Policy") != "same-origin" && name != "form_post" {
				t.Errorf(
					"%s: got Referrer-Policy %q on a page with a form: Chromium would send Origin: null with it",
					name,
					h.Get("Referrer-Policy"),
				)
			}
			if got := strings.Contains(csp, "frame-src"); got != (name == "signed out") {
				t.Errorf("%s: got frames allowed: %v", name, got)
			}
			for _, m := range external.FindAllString(p.Body, -1) {
				if name != "signed out" {
					t.Errorf("%s: got %s from elsewhere", name, m)
				}
			}
		}
	})
}

// TestASharedHostStaysShared: an issuer with a path empties no other app's storage, does not set headers for the
// whole host unless configured to, and its cookies are not those of another issuer on that host.
func TestASharedHostStaysShared(t *testing.T) {
	names := map[string]string{}
	for issuer, want := range map[string]struct{ prefix, path, clear string }{
		"https://op.example":      {"__Host-", "/", `"storage", "prefetchCache", "prerenderCache"`},
		"https://op.example:8443": {"__Host-", "/", `"storage", "prefetchCache", "prerenderCache"`},
		"https://op.example/a":    {"__Secure-", "/a", ""},
		"https://op.example/b":    {"__Secure-", "/b", ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			o := providertest.MustStart(t, func(c *provider.Config) { c.Issuer = issuer })
			o.MustAddClient("atlas", nil)
			b := o.Browser()
			path := strings.TrimPrefix(want.path, "/")
			if path != "" {
				path = "/" + path
			}
			signIn := b.Submit(
				b.Get(path+providertest.AuthorizeURL("atlas")),
				"username",
				"alice",
				"password",
				providertest.Password,
			)
			for _, c := range (&http.Response{Header: signIn.Header}).Cookies() {
				if other := names[c.Name]; other != "" && other != issuer {
					t.Errorf("%s: got the cookie %s, which %s has too", issuer, c.Name, other)
				}
				names[c.Name] = issuer
				if !strings.HasPrefix(c.Name, want.prefix) || c.Path != want.path {
					t.Errorf(
						"%s: got the cookie %s, want the prefix %s and the path %s",
						issuer,
						c.Raw,
						want.prefix,
						want.path,
					)
				}
			}
			out := b.Submit(b.Get(path+"/end_session"), "scope", "session")
			evict := b.Get(path + "/signed-out/evict.css")
			if got := out.Header.Get("Clear-Site-Data"); got != want.clear ||
				(evict.Header.Get("Clear-Site-Data") == "") != (want.clear == "") {
				t.Errorf("%s: got Clear-Site-Data %s, want %s", issuer, got, want.clear)
			}
			if out.Header.Get("Cache-Control") != "no-store" || out.Header.Get("Strict-Transport-Security") != "" {
				t.Errorf("%s: got %v", issuer, out.Header)
			}
		})
	}
}

// TestIssuerMayHaveAPath: every page, form, redirect and document stands below it.
func TestIssuerMayHaveAPath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, func(c *provider.Config) { c.Issuer = providertest.Issuer + "/id" })
		o.MustAddClient("atlas", func(m *storage.Metadata) { m.Consent = "" })
		b := o.Browser()
		p := b.Get("/id" + providertest.AuthorizeURL("atlas"))
		p = b.Submit(p, "username", "alice", "password", providertest.Password)
		a := b.Submit(p, "decision", "allow").ResponseParams(t)
		if a.Get("iss") != providertest.Issuer+"/id" || a.Get("code") == "" {
			t.Fatalf("got %v, want a code of %s/id", a, providertest.Issuer)
		}
		if p := b.Get("/id/account"); !strings.Contains(p.Body, "Your devices") ||
			strings.Contains(p.Body, `href="/account`) {
			t.Errorf("got %d from the account page, or links that leave the path", p.Status)
		}
		for _, path := range []string{
			"/id/.well-known/openid-configuration",
			"/id/.well-known/oauth-authorization-server",
			"/.well-known/oauth-authorization-server/id",
		} {
			if p := b.Get(path); !strings.Contains(
				p.Body,
				`"authorization_endpoint":"`+providertest.Issuer+`/id/authorize"`,
			) {
				t.Errorf("got %d from %s", p.Status, path)
			}
		}
		for _, path := range []string{"/account", "/idx/account", "/.well-known/openid-configuration"} {
			if p := b.Get(path); p.Status != http.StatusNotFound || p.Header.Get("X-Frame-Options") != "DENY" {
				t.Errorf("got %d from %s, which is not ours", p.Status, path)
			}
		}
		link := strings.TrimPrefix(o.MustMakeResetLink("alice"), providertest.Issuer)
		if p := b.Submit(b.Get(link), "new-password", "a new long password", "repeat-password", "a new long password"); p.Status != http.StatusOK {
			t.Errorf("got %d from a reset link at %.10s", p.Status, link)
		}
	})
}
