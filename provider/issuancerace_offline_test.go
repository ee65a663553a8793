package provider_test

import (
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
)

// TestNoOfflineTokenIsIssuedAfterTermination races what lives without a session, offline access and a client's own
// tokens, and sign-ins against the endings that take them. What was minted around an ending stays revoked when the
// user or the client is enabled again.
func TestNoOfflineTokenIsIssuedAfterTermination(t *testing.T) {
	const offline, own, signIn = "offline access", "its own token", "a sign-in"
	for name, ending := range map[string]struct {
		path, body, again string
		takes             []string
	}{
		"user disabled":        {"/users/alice/disable", "", "/users/alice/enable", []string{offline, signIn}},
		"a user, and offline":  {"/logouts", `{"user":"alice","include_offline":true}`, "", []string{offline}},
		"application disabled": {"/clients/app/disable", "", "/clients/app/enable", []string{offline, own}},
	} {
		for _, format := range []string{"opaque", "jwt"} {
			t.Run(name+", "+format, func(t *testing.T) {
				t.Parallel()
				o := providertest.MustStart(t, nil)
				o.MustAddClient("app", func(m *storage.Metadata) { m.AccessTokenFormat = format })
				r := &race{Fixture: o, b: o.Browser()}
				var browsers []*providertest.Browser // under r.mu
				do := map[string]func() func(){
					offline: func() func() {
						refresh := o.Browser().
							MustJoin("alice", "app", "scope", "openid offline_access", "prompt", "consent").
							RefreshToken
						return func() {
							r.attempt(offline, func() bool {
								a := o.Token(
									"app",
									url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}},
								)
								if a.AccessToken != "" {
									refresh = a.RefreshToken
									r.recordTokens("app", a.AccessToken, refresh)
								}
								return a.AccessToken != ""
							})
						}
					},
					own: func() func() {
						return func() {
							r.attempt(own, func() bool {
								a := o.Token("app", url.Values{"grant_type": {"client_credentials"}})
								if a.AccessToken != "" {
									r.recordTokens("app", a.AccessToken, "")
								}
								return a.AccessToken != ""
							})
						}
					},
					signIn: func() func() {
						return func() {
							r.attempt(signIn, func() bool {
								b := o.Browser()
								p := b.Submit(
									b.Get(providertest.AuthorizeURL("app")),
									"username",
									"alice",
									"password",
									providertest.Password,
								)
								r.mu.Lock()
								defer r.mu.Unlock()
								browsers = append(browsers, b)
								return p.Status == http.StatusSeeOther
							})
						}
					},
				}
				var workers sync.WaitGroup
				for _, what := range ending.takes {
					for range 3 {
						once := do[what]()
						workers.Go(func() {
							for beyond := 0; beyond < 3; {
								if r.acknowledged.Load() {
									beyond++
								}
								once()
							}
						})
					}
				}
				for r.successes.Load() < 20 {
					time.Sleep(time.Millisecond)
				}
				o.MustAdmin(http.MethodPost, ending.path, ending.body)
				r.acknowledged.Store(true)
				workers.Wait()
				if ending.again != "" {
					o.MustAdmin(http.MethodPost, ending.again, "")
				}
				for _, token := range r.accessTokens["app"] {
					if o.Active("app", token) {
						t.Error("got an active access token that was minted before the ending was acknowledged")
					}
				}
				for _, b := range browsers {
					if b.MustPromptNone("app").Get("code") != "" {
						t.Error("got an active session that began before the ending was acknowledged")
					}
				}
			})
		}
	}
}
