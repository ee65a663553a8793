package signin_test

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

	"github.com/curfew-id/curfew/provider/password"
	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
)

// TestForeignInteractionsOpenNothing: of another browser, another purpose, cut, changed or past their time.
func TestForeignInteractionsOpenNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("atlas", nil)
		b, thief := o.Browser(), o.Browser()
		thief.Get(providertest.AuthorizeURL("atlas")) // has a flow cookie of its own
		location := b.Do(http.MethodGet, providertest.AuthorizeURL("atlas"), nil, nil).Header.Get("Location")
		handle := strings.TrimPrefix(location, "/login/")
		form := url.Values{"username": {"alice"}, "password": {providertest.Password}}
		refused := func(name string, b *providertest.Browser, path string) {
			t.Helper()
			for _, p := range []providertest.Page{
				b.Get(path),
				b.Do(http.MethodPost, path, form, nil),
				b.Get(path + "/cancel"),
			} {
				if p.Status != http.StatusBadRequest && p.Status != http.StatusNotFound &&
					p.Status != http.StatusMethodNotAllowed ||
					b.Cookies["__Host-curfew-session"] != "" {
					t.Errorf("%s: got %d to %q from %s", name, p.Status, p.Header.Get("Location"), path)
				}
			}
		}
		refused("another browser", thief, location)
		refused("no browser at all", o.Browser(), location)
		refused("another purpose", b, "/consent/"+handle)
		refused("another purpose", b, "/signed-out/"+handle)
		refused("cut", b, location[:len(location)-4])
		refused("changed", b, location[:20]+"A"+location[21:])
		refused("longer than any", b, "/login/"+strings.Repeat("A", 25_000))
		refused("nonsense", b, "/login/..%2f..%2fetc")
		time.Sleep(61 * time.Minute)
		refused("past its time", b, location)
		if b.Get("/end_session?request="+url.QueryEscape(handle)).Status != http.StatusBadRequest {
			t.Error("got a sign-in handle taken at end_session")
		}
	})
}

var changing = regexp.MustCompile(`<code>[^<]*</code>|value="[^"]*"|action="[^"]*"|href="/login/[^"]*"|data-options="[^"]*"`)

// TestUnknownUserLooksLikeAWrongPassword: no answer shows whether a user has an account (ASVS 6.3.8).
func TestUnknownUserLooksLikeAWrongPassword(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("atlas", nil)
		o.MustAddUser("gone")
		o.MustAdmin(http.MethodPost, "/users/gone/disable", "")
		if err := o.Store.PutUser(t.Context(), storage.User{
			Subject: "sub-bare",
			Name:    "bare",
			Created: time.Now(),
		}); err != nil {
			t.Fatal(err)
		}
		var want string
		for _, name := range []string{
			"alice",
			"alice@example.org",
			"nobody",
			"gone",
			"bare",
			"ALICE",
			"no body",
			strings.Repeat("x", 3000),
		} {
			secret := "wrong"
			if name == "gone" || name == "bare" {
				secret = providertest.Password
			}
			b := o.Browser()
			p := b.Submit(b.Get(providertest.AuthorizeURL("atlas")), "username", name, "password", secret)
			p.Header.Del("X-Request-Id")
			got := fmt.Sprint(p.Status, len(p.Header), changing.ReplaceAllString(p.Body, ""))
			if want == "" {
				want = got
			}
			if got != want || !strings.Contains(got, "The username or password is wrong.") ||
				b.Cookies["__Host-curfew-session"] != "" {
				t.Errorf("%.20s: got another answer than for a wrong password:\n%s", name, got)
			}
		}
	})
}

// TestParallelGuessesPassNoMoreThanTheLimit: attempts count before they are hashed, for the account under all its
// names; the user still gets in from a browser that is known, and from anywhere after a while.
func TestParallelGuessesPassNoMoreThanTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("atlas", nil)
		known := o.Browser()
		known.MustSignIn("alice", "atlas")
		known.Get(providertest.EndSessionURL())
		known.Submit(known.Get(providertest.EndSessionURL()), "scope", "session")

		guess := func(b *providertest.Browser, secret string) providertest.Page {
			return b.Submit(
				b.Get(providertest.AuthorizeURL("atlas")),
				"username",
				[]string{"alice", "Alice@Example.org"}[len(secret)%2],
				"password",
				secret,
			)
		}
		var mu sync.Mutex
		answers := map[int]int{}
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() {
				p := guess(o.Browser(), strings.Repeat("x", i+1))
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
		if p := guess(o.Browser(), providertest.Password); p.Status != http.StatusTooManyRequests {
			t.Errorf("got %d for the right password of a locked account, want 429 like any other", p.Status)
		}
		if p := guess(known, providertest.Password); p.ResponseParams(t).Get("code") == "" {
			t.Error("got the user locked out of a browser that is known")
		}
		time.Sleep(3 * time.Second)
		if p := guess(o.Browser(), providertest.Password); p.ResponseParams(t).Get("code") == "" {
			t.Error("got the account locked for longer than was said")
		}
	})
}

// TestOneAddressCannotTryManyNames: 50 attempts from one address, whatever the names.
func TestOneAddressCannotTryManyNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("atlas", nil)
		b := o.Browser()
		p := b.Get(providertest.AuthorizeURL("atlas"))
		refused := 0
		for i := range 60 {
			if b.Submit(p, "username", fmt.Sprint("user", i), "password", "x").Status == http.StatusTooManyRequests {
				refused++
			}
		}
		if refused != 10 {
			t.Errorf("got %d of 60 refused, want 10", refused)
		}
	})
}

// TestFormsOfOtherSitesAreRefused: every form of ours, by what browsers say about where a request comes from.
func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("atlas", nil)
		b := o.Browser()
		login := b.Do(http.MethodGet, providertest.AuthorizeURL("atlas"), nil, nil).Header.Get("Location")
		b.MustSignIn("alice", "atlas")
		for _, path := range []string{
			login,
			"/consent/x",
			"/end_session/confirm",
			"/account/sessions",
			"/account/applications",
			"/account/password",
			"/account/email",
			o.MustMakeResetLink("alice"),
		} {
			for _, from := range []http.Header{
				{"Sec-Fetch-Site": {"cross-site"}},
				{"Sec-Fetch-Site": {"same-site"}},
				{"Sec-Fetch-Site": nil, "Origin": {"https://evil.example"}},
				{"Sec-Fetch-Site": nil, "Origin": {"null"}},
			} {
				p := b.Do(http.MethodPost, path, url.Values{"scope": {"all"}}, from)
				if p.Status != http.StatusForbidden || !strings.Contains(p.Body, "another website") {
					t.Errorf("got %d from %.20s with %v, want 403", p.Status, path, from)
				}
			}
			// What says that it is ours is the issuer: a proxy may send another Host.
			own := http.Header{"Sec-Fetch-Site": nil, "Origin": {providertest.Issuer}}
			if p := b.Do(http.MethodPost, path, url.Values{"interaction": {"x"}}, own); strings.Contains(
				p.Body,
				"another website",
			) {
				t.Errorf("got a form of ours from %.20s refused as another site's", path)
			}
			// Without either, the handle is what counts.
			if p := b.Do(http.MethodPost, path, url.Values{
				"scope":       {"all"},
				"interaction": {"x"},
			}, http.Header{"Sec-Fetch-Site": nil}); p.Status < 300 {
				t.Errorf("got %d from %.20s without a handle", p.Status, path)
			}
			if path == "/account/applications" || !strings.HasPrefix(path, "/account/") {
				continue // has a page of its own
			}
			if p := b.Get(path); p.Status != http.StatusMethodNotAllowed || p.Header.Get("Allow") != http.MethodPost {
				t.Errorf("got %d for GET %s, want 405", p.Status, path)
			}
		}
		if !b.SignedIn("atlas") {
			t.Error("got the session ended")
		}
	})
}

// TestPasswordsMoveToTodaysCost at the next sign-in.
func TestPasswordsMoveToTodaysCost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("atlas", nil)
		u, err := o.Store.User(t.Context(), "sub-alice")
		if err != nil {
			t.Fatal(err)
		}
		cheap := u.Password
		if u.Password, err = password.NewHasher(password.Cost{
			Memory:  128,
			Time:    2,
			Threads: 1,
		}).Hash(context.Background(), providertest.Password); err != nil {
			t.Fatal(err)
		}
		if err := o.Store.PutUser(t.Context(), u); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			o.Browser().MustSignIn("alice", "atlas")
			after, err := o.Store.User(t.Context(), "sub-alice")
			if err != nil || strings.Split(after.Password, "$")[3] != strings.Split(cheap, "$")[3] {
				t.Errorf("got hash %s, %v, want today's cost", after.Password, err)
			}
		}
	})
}
