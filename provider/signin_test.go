package provider_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-id/curfew/provider"
	"github.com/curfew-id/curfew/provider/password"
	"github.com/curfew-id/curfew/storage"
)

// TestCookiesAreOfThisHostAlone: __Host-, Secure, HttpOnly, SameSite=Lax, no Domain, below what browsers keep. The one that a frame must read is
// there only where Session Management is on.
func TestCookiesAreOfThisHostAlone(t *testing.T) {
	for _, frame := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			o := mustStart(t, func(c *provider.Config) { c.CheckSession = frame })
			o.mustAddClient("atlas", func(m *storage.Metadata) { m.CheckSession = true })
			seen := map[string]int{}
			check := func(p page) page {
				t.Helper()
				for _, c := range (&http.Response{Header: p.Header}).Cookies() {
					readable := c.Name == "__Host-curfew-state"
					seen[c.Name]++
					if !strings.HasPrefix(c.Name, "__Host-") || !c.Secure || c.Path != "/" || c.Domain != "" || c.HttpOnly == readable || len(c.Raw) > 4096 || readable && !frame ||
						c.SameSite != map[bool]http.SameSite{false: http.SameSiteLaxMode, true: http.SameSiteNoneMode}[readable] {
						t.Errorf("got cookie %s", c.Raw)
					}
					if c.Name != "__Host-curfew-session" || c.MaxAge < 0 {
						continue
					}
					if len(c.Value) != 43 {
						t.Errorf("got a session secret of %d characters, want 256 bits", len(c.Value))
					}
					if want := map[bool]int{false: 0, true: 30 * 24 * 3600}[strings.Contains(p.Path, "keep")]; c.MaxAge != want {
						t.Errorf("got a session cookie for %d s, want %d", c.MaxAge, want)
					}
				}
				return p
			}
			for _, keep := range []string{"", "on"} {
				b := o.browser()
				signIn := b.get(check(b.do(http.MethodGet, authorizeURL("atlas", "state", strings.Repeat("s", 900)), nil, nil)).Header.Get("Location"))
				action, fields := signIn.form(t)
				fields.Set("username", "alice")
				fields.Set("password", pw)
				fields.Set("keep", keep)
				p := b.do(http.MethodPost, action, fields, nil)
				if keep != "" {
					p.Path = "keep"
				}
				a := check(p).answer(t)
				if got := a.Get("session_state") != ""; got != frame {
					t.Errorf("got a session_state: %v, want %v", got, frame)
				}
				hint := o.redeem("atlas", a.Get("code")).IDToken
				out := check(b.do(http.MethodGet, endSession("id_token_hint", hint), nil, nil))
				if b.cookies["__Host-curfew-session"] != "" || !strings.Contains(out.Body, "signed out") {
					t.Error("got the session cookie kept after signing out")
				}
			}
			for name, want := range map[string]bool{"__Host-curfew-session": true, "__Host-curfew-flow": true, "__Host-curfew-device": true, "__Host-curfew-left": true, "__Host-curfew-state": frame} {
				if got := seen[name] > 0; got != want {
					t.Errorf("got cookie %s set: %v, want %v", name, got, want)
				}
			}
		})
	}
}

// TestPlantedCookieNeverBecomesASession: what was there before signing in is neither taken over nor believed (session fixation).
func TestPlantedCookieNeverBecomesASession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := mustStart(t, nil)
		o.mustAddClient("atlas", nil)
		o.mustAddUser("eve")
		eve := o.browser()
		eve.mustSignIn("eve", "atlas")
		for name, planted := range map[string]string{"made up": strings.Repeat("A", 43), "empty": "", "long": strings.Repeat("x", 5000), "eve's own": eve.cookies["__Host-curfew-session"]} {
			b := o.browser()
			b.cookies["__Host-curfew-session"] = planted
			b.cookies["__Host-curfew-flow"] = eve.cookies["__Host-curfew-flow"]
			if name == "eve's own" { // then eve is signed in there, and alice takes over
				time.Sleep(time.Second)
				p := b.get(b.get(authorizeURL("atlas", "prompt", "select_account")).link("other-account"))
				p = b.submit(p, "username", "alice", "password", pw)
				if p.answer(t).Get("code") == "" {
					t.Fatalf("%s: got no code", name)
				}
			} else {
				b.mustSignIn("alice", "atlas")
			}
			if got := b.cookies["__Host-curfew-session"]; got == planted || len(got) != 43 {
				t.Errorf("%s: got the cookie %q kept", name, got)
			}
			thief := o.browser()
			thief.cookies["__Host-curfew-session"] = planted
			if thief.signedIn("atlas") {
				t.Errorf("%s: got whoever planted the cookie signed in", name)
			}
		}
		if eve.signedIn("atlas") {
			t.Error("got eve's session alive after alice signed in over it")
		}
	})
}

// TestForeignHandlesOpenNothing: of another browser, another purpose, cut, changed or past their time.
func TestForeignHandlesOpenNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := mustStart(t, nil)
		o.mustAddClient("atlas", nil)
		b, thief := o.browser(), o.browser()
		thief.get(authorizeURL("atlas")) // has a flow cookie of its own
		location := b.do(http.MethodGet, authorizeURL("atlas"), nil, nil).Header.Get("Location")
		handle := strings.TrimPrefix(location, "/login/")
		form := url.Values{"username": {"alice"}, "password": {pw}}
		refused := func(name string, b *browser, path string) {
			t.Helper()
			for _, p := range []page{b.get(path), b.do(http.MethodPost, path, form, nil), b.get(path + "/cancel")} {
				if p.Status != http.StatusBadRequest && p.Status != http.StatusNotFound && p.Status != http.StatusMethodNotAllowed || b.cookies["__Host-curfew-session"] != "" {
					t.Errorf("%s: got %d to %q from %s", name, p.Status, p.Header.Get("Location"), path)
				}
			}
		}
		refused("another browser", thief, location)
		refused("no browser at all", o.browser(), location)
		refused("another purpose", b, "/consent/"+handle)
		refused("another purpose", b, "/signed-out/"+handle)
		refused("cut", b, location[:len(location)-4])
		refused("changed", b, location[:20]+"A"+location[21:])
		refused("longer than any", b, "/login/"+strings.Repeat("A", 5000))
		refused("nonsense", b, "/login/..%2f..%2fetc")
		time.Sleep(61 * time.Minute)
		refused("past its time", b, location)
		if b.get("/end_session?request="+url.QueryEscape(handle)).Status != http.StatusBadRequest {
			t.Error("got a sign-in handle taken at end_session")
		}
	})
}

var changing = regexp.MustCompile(`<code>[^<]*</code>|value="[^"]*"|action="[^"]*"|href="/login/[^"]*"`)

// TestUnknownUserLooksLikeAWrongPassword: whether somebody has an account shows in nothing (ASVS 6.3.8).
func TestUnknownUserLooksLikeAWrongPassword(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := mustStart(t, nil)
		o.mustAddClient("atlas", nil)
		o.mustAddUser("gone")
		o.admin(http.MethodPost, "/users/gone/disable", "")
		if err := o.store.PutUser(t.Context(), storage.User{Subject: "sub-bare", Name: "bare", Created: time.Now()}); err != nil {
			t.Fatal(err)
		}
		var want string
		for _, name := range []string{"alice", "alice@example.org", "nobody", "gone", "bare", "ALICE", "no body", strings.Repeat("x", 3000)} {
			secret := "wrong"
			if name == "gone" || name == "bare" {
				secret = pw
			}
			b := o.browser()
			p := b.submit(b.get(authorizeURL("atlas")), "username", name, "password", secret)
			p.Header.Del("X-Request-Id")
			got := fmt.Sprint(p.Status, len(p.Header), changing.ReplaceAllString(p.Body, ""))
			if want == "" {
				want = got
			}
			if got != want || !strings.Contains(got, "The user name or password is wrong.") || b.cookies["__Host-curfew-session"] != "" {
				t.Errorf("%.20s: got another answer than for a wrong password:\n%s", name, got)
			}
		}
	})
}

// TestParallelGuessesPassNoMoreThanTheLimit: attempts count before they are hashed, for the account under all its names; the person still gets in from a
// browser that is known, and from anywhere after a while.
func TestParallelGuessesPassNoMoreThanTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := mustStart(t, nil)
		o.mustAddClient("atlas", nil)
		known := o.browser()
		known.mustSignIn("alice", "atlas")
		known.get(endSession())
		known.submit(known.get(endSession()), "extent", "browser")

		guess := func(b *browser, secret string) page {
			return b.submit(b.get(authorizeURL("atlas")), "username", []string{"alice", "Alice@Example.org"}[len(secret)%2], "password", secret)
		}
		var mu sync.Mutex
		answers := map[int]int{}
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() {
				p := guess(o.browser(), strings.Repeat("x", i+1))
				if p.Status == http.StatusTooManyRequests && p.Header.Get("Retry-After") == "" {
					t.Error("got 429 without Retry-After")
				}
				mu.Lock()
				answers[p.Status]++
				mu.Unlock()
			})
		}
		all.Wait()
		if answers[http.StatusOK] != 5 || answers[http.StatusTooManyRequests] != 45 {
			t.Errorf("got %v, want 5 guesses answered and 45 refused", answers)
		}
		if p := guess(o.browser(), pw); p.Status != http.StatusTooManyRequests {
			t.Errorf("got %d for the right password of a locked account, want 429 like any other", p.Status)
		}
		if p := guess(known, pw); p.answer(t).Get("code") == "" {
			t.Error("got the person locked out of a browser that is known")
		}
		time.Sleep(3 * time.Second)
		if p := guess(o.browser(), pw); p.answer(t).Get("code") == "" {
			t.Error("got the account locked for longer than was said")
		}
	})
}

// TestOneAddressCannotTryManyNames: 50 attempts from one address, whatever the names.
func TestOneAddressCannotTryManyNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := mustStart(t, nil)
		o.mustAddClient("atlas", nil)
		b := o.browser()
		p := b.get(authorizeURL("atlas"))
		refused := 0
		for i := range 60 {
			if b.submit(p, "username", fmt.Sprint("user", i), "password", "x").Status == http.StatusTooManyRequests {
				refused++
			}
		}
		if refused != 10 {
			t.Errorf("got %d of 60 refused, want 10", refused)
		}
	})
}

// TestSessionsEndByThemselves: idle and absolute lifetime, with and without "keep me signed in"; what is past either is dead in that instant.
func TestSessionsEndByThemselves(t *testing.T) {
	const day = 24 * time.Hour
	for name, c := range map[string]struct {
		keep           string
		idle, absolute time.Duration
	}{"by default": {"", 8 * time.Hour, day}, "kept": {"on", 14 * day, 30 * day}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o := mustStart(t, nil)
				o.mustAddClient("atlas", nil)
				o.stop() // nobody sweeps: what is past its time is dead, swept or not
				<-o.done
				begin := func() (*browser, tokenAnswer) {
					b := o.browser()
					code := b.submit(b.get(authorizeURL("atlas")), "username", "alice", "password", pw, "keep", c.keep).answer(t).Get("code")
					return b, o.redeem("atlas", code)
				}
				// Nobody uses it.
				b, a := begin()
				time.Sleep(c.idle - time.Second)
				if !b.copy().get("/account/probe").has(http.StatusNoContent) {
					t.Error("got it dead a second too early")
				}
				time.Sleep(time.Second)
				if b.signedIn("atlas") || !b.get("/account/probe").has(http.StatusUnauthorized) {
					t.Error("got it alive at its idle end")
				}
				if got := o.token("atlas", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {a.RefreshToken}}); got.Error != "invalid_grant" {
					t.Errorf("got %+v for its refresh token, want invalid_grant", got)
				}
				// Somebody uses it all the time: an application by refreshing, the person by signing in elsewhere.
				b, a = begin()
				refresh := a.RefreshToken
				start := time.Now()
				for i := 0; time.Since(start) < c.absolute-c.idle/2; i++ {
					time.Sleep(c.idle / 2)
					if i%2 == 0 {
						refresh = o.token("atlas", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}}).RefreshToken
					} else {
						o.redeem("atlas", b.mustNone("atlas").Get("code"))
					}
				}
				time.Sleep(time.Until(start.Add(c.absolute - time.Second)))
				if !b.signedIn("atlas") {
					t.Error("got it dead before its absolute end although it was in use")
				}
				code := b.mustNone("atlas").Get("code")
				time.Sleep(time.Second)
				if got := o.redeem("atlas", code); b.signedIn("atlas") || got.Error != "invalid_grant" {
					t.Errorf("got %+v at its absolute end, want nothing", got)
				}
				// Looking at the account pages' probe is no use.
				b, _ = begin()
				for range 10 {
					time.Sleep(c.idle / 10)
					b.get("/account/probe")
				}
				if b.signedIn("atlas") {
					t.Error("got it kept alive by a page's script")
				}
			})
		})
	}
}

// has tells whether a page has that status.
func (p page) has(status int) bool { return p.Status == status }

// TestFormsOfOtherSitesAreRefused: every form of ours, by what browsers say about where a request comes from.
func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := mustStart(t, nil)
		o.mustAddClient("atlas", nil)
		b := o.browser()
		login := b.do(http.MethodGet, authorizeURL("atlas"), nil, nil).Header.Get("Location")
		b.mustSignIn("alice", "atlas")
		for _, path := range []string{login, "/consent/x", "/end_session/confirm", "/account/sessions", "/account/applications", "/account/password", "/account/email", o.mustResetLink("alice")} {
			for _, from := range []http.Header{{"Sec-Fetch-Site": {"cross-site"}}, {"Sec-Fetch-Site": {"same-site"}}, {"Sec-Fetch-Site": nil, "Origin": {"https://evil.example"}}, {"Sec-Fetch-Site": nil, "Origin": {"null"}}} {
				p := b.do(http.MethodPost, path, url.Values{"extent": {"everywhere"}}, from)
				if p.Status != http.StatusForbidden || !strings.Contains(p.Body, "another site") {
					t.Errorf("got %d from %.20s with %v, want 403", p.Status, path, from)
				}
			}
			// Without either, the handle is what counts.
			if p := b.do(http.MethodPost, path, url.Values{"extent": {"everywhere"}, "handle": {"x"}}, http.Header{"Sec-Fetch-Site": nil}); p.Status < 300 {
				t.Errorf("got %d from %.20s without a handle", p.Status, path)
			}
			if path == "/account/applications" || !strings.HasPrefix(path, "/account/") {
				continue // has a page of its own
			}
			if p := b.get(path); p.Status != http.StatusMethodNotAllowed || p.Header.Get("Allow") != http.MethodPost {
				t.Errorf("got %d for GET %s, want 405", p.Status, path)
			}
		}
		if !b.signedIn("atlas") {
			t.Error("got the session ended")
		}
	})
}

// TestPasswordsMoveToTodaysCost at the next sign-in.
func TestPasswordsMoveToTodaysCost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := mustStart(t, nil)
		o.mustAddClient("atlas", nil)
		u, err := o.store.User(t.Context(), "sub-alice")
		if err != nil {
			t.Fatal(err)
		}
		cheap := u.Password
		if u.Password, err = password.NewHasher(password.Cost{Memory: 128, Time: 2, Threads: 1}).Hash(context.Background(), pw); err != nil {
			t.Fatal(err)
		}
		if err := o.store.PutUser(t.Context(), u); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			o.browser().mustSignIn("alice", "atlas")
			after, err := o.store.User(t.Context(), "sub-alice")
			if err != nil || strings.Split(after.Password, "$")[3] != strings.Split(cheap, "$")[3] {
				t.Errorf("got hash %s, %v, want today's cost", after.Password, err)
			}
		}
	})
}
