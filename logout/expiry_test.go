package logout_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-id/curfew/provider"
	"github.com/curfew-id/curfew/provider/providertest"
)

// TestSessionsEndByThemselves: idle and absolute lifetime, with and without "keep me signed in"; a session past
// either has expired in that instant.
func TestSessionsEndByThemselves(t *testing.T) {
	const day = 24 * time.Hour
	for name, c := range map[string]struct {
		keep           string
		idle, absolute time.Duration
	}{"by default": {"", 8 * time.Hour, day}, "kept": {"on", 14 * day, 30 * day}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o := providertest.MustStart(t, nil)
				o.MustAddClient("atlas", nil)
				o.StopWork() // without the sweep: a session past its deadline has expired, swept or not
				begin := func() (*providertest.Browser, providertest.TokenResponse) {
					b := o.Browser()
					code := b.Submit(b.Get(providertest.AuthorizeURL("atlas")), "username", "alice", "password", providertest.Password, "keep", c.keep).
						ResponseParams(t).
						Get("code")
					return b, o.Redeem("atlas", code)
				}
				// The session is not used.
				b, a := begin()
				time.Sleep(c.idle - time.Second)
				if b.Copy().Get("/account/probe").Status != http.StatusNoContent {
					t.Error("got it expired a second too early")
				}
				time.Sleep(time.Second)
				if b.SignedIn("atlas") || b.Get("/account/probe").Status != http.StatusUnauthorized {
					t.Error("got it active at its idle end")
				}
				if got := o.Token("atlas", url.Values{
					"grant_type":    {"refresh_token"},
					"refresh_token": {a.RefreshToken},
				}); got.Error != "invalid_grant" {
					t.Errorf("got %+v for its refresh token, want invalid_grant", got)
				}
				// The session is in use all the time: a client refreshes, and the user signs in to other clients.
				b, a = begin()
				refresh := a.RefreshToken
				start := time.Now()
				for i := 0; time.Since(start) < c.absolute-c.idle/2; i++ {
					time.Sleep(c.idle / 2)
					if i%2 == 0 {
						refresh = o.Token(
							"atlas",
							url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}},
						).RefreshToken
					} else {
						o.Redeem("atlas", b.MustPromptNone("atlas").Get("code"))
					}
				}
				time.Sleep(time.Until(start.Add(c.absolute - time.Second)))
				if !b.SignedIn("atlas") {
					t.Error("got it expired before its absolute end although it was in use")
				}
				code := b.MustPromptNone("atlas").Get("code")
				time.Sleep(time.Second)
				if got := o.Redeem("atlas", code); b.SignedIn("atlas") || got.Error != "invalid_grant" {
					t.Errorf("got %+v at its absolute end, want nothing", got)
				}
				// A request to the account pages' probe does not count as use.
				b, _ = begin()
				for range 10 {
					time.Sleep(c.idle / 10)
					b.Get("/account/probe")
				}
				if b.SignedIn("atlas") {
					t.Error("got it extended by a page's script")
				}
			})
		})
	}
}

// TestExpiryIsNotifiedUnlessSilent: with silent expiry, no client is notified of an expired session, and the report
// says so. A sign-out still notifies the clients.
func TestExpiryIsNotifiedUnlessSilent(t *testing.T) {
	const quiet = "expired sessions end without a notice here"
	for name, silent := range map[string]bool{"notified": false, "silent": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := providertest.MustStart(t, func(c *provider.Config) {
					c.Session.ExpiryNotice = map[bool]string{false: "notify", true: "silent"}[silent]
				})
				o.MustAddClient("atlas", nil)
				b := o.Browser()
				a := b.MustJoin("alice", "atlas")
				time.Sleep(8*time.Hour - time.Second)
				if n := len(o.Clients.Sent()); n > 0 || b.Copy().Get("/account/probe").Status != http.StatusNoContent {
					t.Fatalf("got %d logout tokens and its end before its time", n)
				}
				time.Sleep(7 * time.Second) // a sweep may be 5 s late
				synctest.Wait()
				if n := len(o.Clients.Sent()); n == 0 != silent {
					t.Errorf("got %d logout tokens", n)
				}
				if o.Active("atlas", a.AccessToken) {
					t.Error("got an active token of a session that ran out")
				}
				b.MustJoin("alice", "atlas")
				_, found, _ := strings.Cut(b.Get("/account/activity").Body, `href="/account/reports/`)
				report, _, _ := strings.Cut(found, `"`)
				body := b.Get("/account/reports/" + report).Body
				if !strings.Contains(body, "expired after inactivity") || strings.Contains(body, quiet) != silent {
					t.Errorf("silent %v: got the report\n%s", silent, body)
				}

				before := len(o.Clients.Sent())
				b.Submit(b.Get("/end_session"), "scope", "session")
				synctest.Wait()
				if n := len(o.Clients.Sent()) - before; n != 1 {
					t.Errorf("got %d logout tokens for a sign-out, want 1", n)
				}
			})
		})
	}
}
