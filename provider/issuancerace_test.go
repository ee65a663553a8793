package provider_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
)

// TestNoTokenIsIssuedAfterTermination runs everything that mints or vouches against endings of every kind. A request
// that starts after the ending was acknowledged must not succeed; everything minted around it must be revoked; and
// every client that got something must be notified.
func TestNoTokenIsIssuedAfterTermination(t *testing.T) {
	endings := map[string]func(*race){
		"signed out at an application": func(r *race) { r.b.Copy().Get(providertest.EndSessionURL("id_token_hint", r.hint)) },
		"account page, everywhere":     func(r *race) { b := r.b.Copy(); b.Submit(b.Get("/account"), "scope", "all") },
		"administrator, one session": func(r *race) {
			r.MustAdmin(http.MethodPost, "/logouts", fmt.Sprintf(`{"sessions":[%q]}`, r.MustFindSession("alice", r.b)))
		},
		"administrator, everybody": func(r *race) { r.MustAdmin(http.MethodPost, "/logouts", `{"all_users":true}`) },
		"password set": func(r *race) {
			r.MustAdmin(http.MethodPost, "/users/alice/password", `{"password":"a new long password"}`)
		},
		"left the group": func(r *race) { r.MustAdmin(http.MethodDelete, "/groups/staff/members/alice", "") },
		"user disabled":  func(r *race) { r.MustAdmin(http.MethodPost, "/users/alice/disable", "") },
	}
	for name, end := range endings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := providertest.MustStart(t, nil)
			o.MustAdmin(http.MethodPut, "/groups/staff/members/alice", "")
			o.MustAddClient("home", func(m *storage.Metadata) { m.AdmitGroups = []string{"staff"} })
			r := &race{Fixture: o, b: o.Browser()}
			home := r.b.MustJoin("alice", "home")
			r.hint = home.IDToken
			for i := range 6 {
				o.MustAddClient(fmt.Sprint("app", i), func(m *storage.Metadata) {
					m.ResponseTypes, m.GrantTypes = []string{"code", "code token"}, append(m.GrantTypes, "implicit")
					m.AdmitGroups = []string{"staff"}
					if i%2 == 0 {
						m.AccessTokenFormat = "jwt"
					}
				})
			}
			var workers sync.WaitGroup
			for i := range 6 {
				workers.Go(func() { r.runClient(fmt.Sprint("app", i), i%3) })
			}
			workers.Go(func() { r.pollTokens("home", home.AccessToken) })
			for r.successes.Load() < 40 { // all are under way
				time.Sleep(time.Millisecond)
			}
			end(r)
			r.acknowledged.Store(true)
			workers.Wait()
			r.checkAllRevoked(t)
		})
	}
}

// race is one session that many use while it ends.
type race struct {
	*providertest.Fixture
	b            *providertest.Browser
	hint         string
	acknowledged atomic.Bool
	successes    atomic.Int64

	mu            sync.Mutex
	accessTokens  map[string][]string // access tokens by client
	refreshTokens map[string]string   // the latest refresh token by client
}

// attempt does one thing and holds it to what was acknowledged before it started.
func (r *race) attempt(what string, do func() bool) bool {
	after := r.acknowledged.Load()
	ok := do()
	if ok && after {
		r.T.Errorf("got a success from %s that started after the ending was acknowledged", what)
	}
	if ok {
		r.successes.Add(1)
	}
	return ok
}

// recordTokens notes what was minted for a client.
func (r *race) recordTokens(client, access, refresh string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.accessTokens == nil {
		r.accessTokens, r.refreshTokens = map[string][]string{}, map[string]string{}
	}
	r.accessTokens[client] = append(r.accessTokens[client], access)
	if refresh != "" {
		r.refreshTokens[client] = refresh
	}
}

// runClient is one client that does all it can, for a few rounds beyond the ending.
func (r *race) runClient(client string, way int) {
	b := r.b.Copy()
	for beyond := 0; beyond < 3; {
		if r.acknowledged.Load() {
			beyond++
		}
		var code, access, refresh string
		r.attempt("prompt=none", func() bool {
			code = b.MustPromptNone(client).Get("code")
			return code != ""
		})
		if way == 0 {
			r.attempt("a hybrid answer", func() bool {
				p := b.Do(
					http.MethodGet,
					providertest.AuthorizeURL(client, "prompt", "none", "response_type", "code token"),
					nil,
					nil,
				)
				given := p.ResponseParams(r.T).Get("access_token")
				if given != "" {
					r.recordTokens(client, given, "")
				}
				return given != ""
			})
		}
		if code != "" {
			r.attempt("a code", func() bool {
				a := r.Redeem(client, code)
				access, refresh = a.AccessToken, a.RefreshToken
				if access != "" {
					r.recordTokens(client, access, refresh)
				}
				return access != ""
			})
		}
		if refresh != "" {
			r.attempt("a refresh token", func() bool {
				a := r.Token(client, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}})
				if a.AccessToken != "" {
					r.recordTokens(client, a.AccessToken, a.RefreshToken)
				}
				return a.AccessToken != ""
			})
		}
		if access != "" {
			r.attempt("introspection", func() bool { return r.Active(client, access) })
			r.attempt("userinfo", func() bool {
				return r.Browser().
					Do(http.MethodGet, "/userinfo", nil, http.Header{"Authorization": {"Bearer " + access}}).
					Status == http.StatusOK
			})
		}
	}
}

// pollTokens is a resource server that asks and asks. It waits for no commit, so it is there in the moment after the
// ending.
func (r *race) pollTokens(client, access string) {
	b := r.b.Copy()
	for beyond := 0; beyond < 20; {
		if r.acknowledged.Load() {
			beyond++
		}
		r.attempt("prompt=none", func() bool { return b.MustPromptNone(client).Get("code") != "" })
		r.attempt("introspection", func() bool { return r.Active(client, access) })
	}
}

// checkAllRevoked wants everything revoked that was ever minted, and every client notified that got some of it.
func (r *race) checkAllRevoked(t *testing.T) {
	t.Helper()
	for client, tokens := range r.accessTokens {
		for _, token := range tokens {
			if r.Active(client, token) {
				t.Errorf("got an active access token of %s after the ending", client)
			}
		}
		renewed := r.refreshTokens[client]
		if got := r.Token(client, url.Values{
			"grant_type":    {"refresh_token"},
			"refresh_token": {renewed},
		}); renewed != "" &&
			got.Error != "invalid_grant" {
			t.Errorf("got %+v for a refresh token of %s after the ending", got, client)
		}
		notified := func() bool {
			return slices.ContainsFunc(
				r.Clients.Sent(),
				func(p providertest.Post) bool { return p.URI == "https://"+client+".example/backchannel" },
			)
		}
		for patience := 0; !notified(); patience++ {
			if patience > 5000 {
				t.Fatalf("got %s not notified of the termination, although it has %d tokens", client, len(tokens))
			}
			time.Sleep(time.Millisecond)
		}
	}
}
