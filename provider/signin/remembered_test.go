package signin_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/curfew-id/curfew/provider"
	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
)

// TestRememberedBrowserEndsWithWhatAnotherCouldHold: a new password, a changed factor and "this wasn't me" end it; a
// sign-out does not.
func TestRememberedBrowserEndsWithWhatAnotherCouldHold(t *testing.T) {
	newPassword := "another correct horse battery staple"
	for name, c := range map[string]struct {
		cause     func(*testing.T, *providertest.Fixture, *providertest.Browser)
		password  string
		remembers bool
	}{
		"signed out": {
			cause: func(_ *testing.T, f *providertest.Fixture, _ *providertest.Browser) {
				f.MustAdmin(http.MethodPost, "/logouts", `{"user":"alice"}`)
			},
			remembers: true,
		},
		"password changed": {
			cause: func(_ *testing.T, _ *providertest.Fixture, b *providertest.Browser) {
				b.SubmitSecurity("/account/password", "current-password", providertest.Password,
					"new-password", newPassword, "repeat-password", newPassword)
			},
			password: newPassword,
		},
		"password set by the operator": {
			cause: func(_ *testing.T, f *providertest.Fixture, _ *providertest.Browser) {
				f.MustAdmin(http.MethodPost, "/users/alice/password", `{"password":"`+newPassword+`"}`)
			},
			password: newPassword,
		},
		"password reset by a link": {
			cause: func(_ *testing.T, f *providertest.Fixture, _ *providertest.Browser) {
				b := f.Browser()
				page := b.Get(f.MustMakeResetLink("alice"))
				b.Submit(page, "new-password", newPassword, "repeat-password", newPassword)
			},
			password: newPassword,
		},
		"new recovery codes": {
			cause: func(t *testing.T, _ *providertest.Fixture, b *providertest.Browser) {
				_, form := b.Get("/account/factors").Form(t)
				b.Post("/account/factors/recovery", form)
			},
		},
		"asked again everywhere": {
			cause: func(t *testing.T, _ *providertest.Fixture, b *providertest.Browser) {
				_, form := b.Get("/account/factors").Form(t)
				form.Set("remove", "browsers")
				b.Post("/account/factors", form)
			},
		},
		"this wasn't me": {
			cause: func(t *testing.T, f *providertest.Fixture, _ *providertest.Browser) {
				request := storage.EndRequest{
					Selector: storage.Selector{Subject: "sub-alice"},
					Cause:    storage.Cause{ID: "not me", Reason: storage.ReasonNotMe, By: "user:sub-alice"},
				}
				request.SecureUser("sub-alice", false)
				plan := func(storage.Termination) storage.Plan { return storage.Plan{} }
				if _, _, err := f.Store.EndSessions(t.Context(), request, time.Now(), 0, plan); err != nil {
					t.Fatal(err)
				}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			remember := func(c *provider.Config) { c.Authn.RememberBrowser = 24 * time.Hour }
			inBubble(t, remember, func(t *testing.T, f *providertest.Fixture) {
				own := f.Browser()
				own.MustSignIn("alice", "atlas")
				secret, _ := mustEnrol(t, own)
				b := f.Browser()
				b.Submit(mustSendPassword(b), "code", mustCode(t, secret, time.Now()), "remember-browser", "on")
				factors, err := f.Store.Factors(t.Context(), "sub-alice")
				if err != nil || len(factors.Browsers) != 1 {
					t.Fatalf("got %+v, %v, want a remembered browser", factors, err)
				}
				c.cause(t, f, own)
				delete(b.Cookies, "__Host-curfew-session")
				password := providertest.Password
				if c.password != "" {
					password = c.password
				}
				login := b.Get(providertest.AuthorizeURL("atlas"))
				answer := b.Submit(login, "username", "alice", "password", password)
				if got := signedIn(answer); got != c.remembers {
					t.Errorf("got signed in %v, want %v:\n%s", got, c.remembers, answer.Body)
				}
			})
		})
	}
}
