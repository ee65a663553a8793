package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-id/curfew/provider"
	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
)

// TestCookiesAreOfThisHostAlone: __Host-, Secure, HttpOnly, SameSite=Lax, no Domain, below what browsers keep. The
// one that a frame must read is there only where Session Management is on.
func TestCookiesAreOfThisHostAlone(t *testing.T) {
	for _, frame := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			o := providertest.MustStart(t, func(c *provider.Config) { c.CheckSession = frame })
			o.MustAddClient("atlas", func(m *storage.Metadata) { m.CheckSession = true })
			seen := map[string]int{}
			check := func(p providertest.Page) providertest.Page {
				t.Helper()
				for _, c := range (&http.Response{Header: p.Header}).Cookies() {
					readable := c.Name == "__Host-curfew-state"
					seen[c.Name]++
					if !strings.HasPrefix(c.Name, "__Host-") || !c.Secure || c.Path != "/" || c.Domain != "" ||
						c.HttpOnly == readable ||
						len(c.Raw) > 4096 ||
						readable && !frame ||
						c.SameSite != map[bool]http.SameSite{
							false: http.SameSiteLaxMode,
							true:  http.SameSiteNoneMode,
						}[readable] {
						t.Errorf("got cookie %s", c.Raw)
					}
					if c.Name != "__Host-curfew-session" || c.MaxAge < 0 {
						continue
					}
					if len(c.Value) != 43 {
						t.Errorf("got a session secret of %d characters, want 256 bits", len(c.Value))
					}
					if want := map[bool]int{
						false: 0,
						true:  30 * 24 * 3600,
					}[strings.Contains(p.Path, "keep")]; c.MaxAge != want {
						t.Errorf("got a session cookie for %d s, want %d", c.MaxAge, want)
					}
				}
				return p
			}
			for _, keep := range []string{"", "on"} {
				b := o.Browser()
				signIn := b.Get(
					check(
						b.Do(
							http.MethodGet,
							providertest.AuthorizeURL("atlas", "state", strings.Repeat("s", 900)),
							nil,
							nil,
						),
					).Header.Get(
						"Location",
					),
				)
				action, fields := signIn.Form(t)
				fields.Set("username", "alice")
				fields.Set("password", providertest.Password)
				fields.Set("keep", keep)
				p := b.Do(http.MethodPost, action, fields, nil)
				if keep != "" {
					p.Path = "keep"
				}
				a := check(p).ResponseParams(t)
				if got := a.Get("session_state") != ""; got != frame {
					t.Errorf("got a session_state: %v, want %v", got, frame)
				}
				hint := o.Redeem("atlas", a.Get("code")).IDToken
				out := check(b.Do(http.MethodGet, providertest.EndSessionURL("id_token_hint", hint), nil, nil))
				if b.Cookies["__Host-curfew-session"] != "" ||
					!strings.HasPrefix(out.Header.Get("Location"), "/signed-out/") {
					t.Error("got the session cookie kept after signing out")
				}
			}
			for name, want := range map[string]bool{
				"__Host-curfew-session": true,
				"__Host-curfew-flow":    true,
				"__Host-curfew-device":  true,
				"__Host-curfew-left":    true,
				"__Host-curfew-state":   frame,
			} {
				if got := seen[name] > 0; got != want {
					t.Errorf("got cookie %s set: %v, want %v", name, got, want)
				}
			}
		})
	}
}

// TestPlantedCookieNeverBecomesASession: what was there before signing in is neither taken over nor believed (session
// fixation).
func TestPlantedCookieNeverBecomesASession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("atlas", nil)
		o.MustAddUser("eve")
		eve := o.Browser()
		eve.MustSignIn("eve", "atlas")
		for name, planted := range map[string]string{
			"made up":   strings.Repeat("A", 43),
			"empty":     "",
			"long":      strings.Repeat("x", 5000),
			"eve's own": eve.Cookies["__Host-curfew-session"],
		} {
			b := o.Browser()
			b.Cookies["__Host-curfew-session"] = planted
			b.Cookies["__Host-curfew-flow"] = eve.Cookies["__Host-curfew-flow"]
			if name == "eve's own" { // then eve is signed in there, and alice takes over
				time.Sleep(time.Second)
				p := b.Get(b.Get(providertest.AuthorizeURL("atlas", "prompt", "select_account")).Link("other-account"))
				p = b.Submit(p, "username", "alice", "password", providertest.Password)
				if p.ResponseParams(t).Get("code") == "" {
					t.Fatalf("%s: got no code", name)
				}
			} else {
				b.MustSignIn("alice", "atlas")
			}
			if got := b.Cookies["__Host-curfew-session"]; got == planted || len(got) != 43 {
				t.Errorf("%s: got the cookie %q kept", name, got)
			}
			thief := o.Browser()
			thief.Cookies["__Host-curfew-session"] = planted
			if thief.SignedIn("atlas") {
				t.Errorf("%s: got the attacker who planted the cookie signed in", name)
			}
		}
		if eve.SignedIn("atlas") {
			t.Error("got eve's session still active after alice signed in over it")
		}
	})
}

// TestOtherSitesCannotReplaceTheBrowsersName: with a request that withholds our cookies, another site would make
// every open sign-in page useless.
func TestOtherSitesCannotReplaceTheBrowsersName(t *testing.T) {
	f := providertest.MustStart(t, nil)
	f.MustAddClient("atlas", nil)
	for name, c := range map[string]struct {
		method, target, mode, dest string
		want                       bool
	}{
		"image":               {http.MethodGet, providertest.AuthorizeURL("atlas"), "no-cors", "image", false},
		"frame":               {http.MethodGet, providertest.AuthorizeURL("atlas"), "navigate", "iframe", false},
		"fetch":               {http.MethodGet, "/account", "cors", "empty", false},
		"form of a logout":    {http.MethodPost, "/end_session", "navigate", "document", false},
		"form of a sign-in":   {http.MethodPost, "/authorize", "navigate", "document", false},
		"link":                {http.MethodGet, providertest.AuthorizeURL("atlas"), "navigate", "document", true},
		"link to the account": {http.MethodGet, "/account", "navigate", "document", true},
	} {
		t.Run(name, func(t *testing.T) {
			header := http.Header{
				"Sec-Fetch-Site": {"cross-site"},
				"Sec-Fetch-Mode": {c.mode},
				"Sec-Fetch-Dest": {c.dest},
			}
			form := url.Values{}
			if c.method == http.MethodGet {
				form = nil
			}
			b := f.Browser()
			b.Do(c.method, c.target, form, header)
			if _, got := b.Cookies["__Host-curfew-flow"]; got != c.want {
				t.Errorf("got the cookie set: %v, want %v", got, c.want)
			}
		})
	}
}

// TestBrowserStateIsSetOnlyForClientsThatUseIt: a browser that meets no client with session management gets no cookie
// that scripts can read.
func TestBrowserStateIsSetOnlyForClientsThatUseIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, func(c *provider.Config) { c.CheckSession = true })
		o.MustAddClient("atlas", nil)
		o.MustAddClient("ledger", func(m *storage.Metadata) { m.CheckSession = true })
		b := o.Browser()
		b.MustJoin("alice", "atlas")
		b.Submit(b.Get("/end_session"), "scope", "session")
		if b.Cookies["__Host-curfew-state"] != "" {
			t.Error("got the browser state without a client that uses it")
		}
		b.MustJoin("alice", "ledger")
		before := b.Cookies["__Host-curfew-state"]
		b.Submit(b.Get("/end_session"), "scope", "session")
		if after := b.Cookies["__Host-curfew-state"]; before == "" || after == "" || after == before {
			t.Errorf("got the browser state %q, then %q after signing out, want another one", before, after)
		}
	})
}
