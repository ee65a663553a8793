package provider_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
)

// The commits that each kind of request may cost, each of them an fsync that somebody waits for.

// mustCost does something and holds it to its number of commits.
func mustCost(o *providertest.Fixture, t *testing.T, what string, want uint64, do func()) {
	t.Helper()
	synctest.Wait() // what goes on behind an answer is done
	before := o.Store.Commits()
	do()
	if got := o.Store.Commits() - before; got != want {
		t.Errorf("got %d commits for %s, want %d", got, what, want)
	}
}

func TestRequestsKeepTheirBudgetOfCommits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		for _, id := range []string{"shop", "mail"} {
			o.MustAddClient(id, nil)
		}
		o.MustAddClient("job", func(m *storage.Metadata) { m.AccessTokenFormat = "jwt" })
		b := o.Browser()
		first := b.MustJoin("alice", "shop")
		bearer := http.Header{"Authorization": {"Bearer " + first.AccessToken}}

		flow := func() { b.MustJoin("alice", "mail") }
		mustCost(o, t, "a code flow that joins a session", 1, flow)
		mustCost(o, t, "a code flow of a member", 1, flow)
		time.Sleep(30 * time.Minute)
		mustCost(o, t, "a code flow after half an hour without any", 1, flow)
		mustCost(o, t, "authorization without redemption", 0, func() { b.MustPromptNone("shop") })
		mustCost(o, t, "prompt none without a session", 0, func() { o.Browser().MustPromptNone("shop") })
		mustCost(o, t, "a refresh", 1, func() {
			if a := o.Token("shop", url.Values{
				"grant_type":    {"refresh_token"},
				"refresh_token": {first.RefreshToken},
			}); a.Error != "" {
				t.Errorf("got %+v, want tokens", a)
			}
		})
		mustCost(o, t, "introspection", 0, func() {
			if !o.Active("shop", first.AccessToken) {
				t.Error("got an inactive token")
			}
		})
		mustCost(o, t, "userinfo", 0, func() {
			if p := b.Do(http.MethodGet, "/userinfo", nil, bearer); p.Status != http.StatusOK {
				t.Errorf("got %d from userinfo", p.Status)
			}
		})
		mustCost(o, t, "client_credentials for a JWT", 0, func() {
			if a := o.Token("job", url.Values{"grant_type": {"client_credentials"}}); a.AccessToken == "" {
				t.Errorf("got %+v, want a token", a)
			}
		})
		mustCost(
			o,
			t,
			"client_credentials for an opaque token",
			1,
			func() { o.Token("shop", url.Values{"grant_type": {"client_credentials"}}) },
		)
		mustCost(o, t, "discovery and keys", 0, func() { b.Get("/.well-known/openid-configuration"); b.Get("/jwks") })
		mustCost(o, t, "a wrong code", 0, func() { o.Redeem("shop", "no code") })
		mustCost(
			o,
			t,
			"revocation of an access token",
			1,
			func() { o.Call("shop", "/revoke", url.Values{"token": {first.AccessToken}}) },
		)

		// Notifying the clients costs commits of its own, after the browser's answer.
		o.StopWork()
		mustCost(o, t, "a logout", 1, func() {
			if p := b.Get("/end_session?id_token_hint=" + first.IDToken); !strings.Contains(p.Body, `id="signed-out"`) {
				t.Errorf("got %d, want the signed-out page:\n%s", p.Status, p.Body)
			}
		})
	})
}

// TestConcurrentFlowsNeedFewerCommits needs no luck: while one commit is under way, which takes a disk far longer than a
// handler, 15 others queue.
func TestConcurrentFlowsNeedFewerCommits(t *testing.T) {
	o := providertest.MustStart(t, nil)
	o.MustAddClient("shop", nil)
	const callers, flows = 16, 20
	var browsers []*providertest.Browser
	for range callers {
		b := o.Browser()
		b.MustJoin("alice", "shop")
		browsers = append(browsers, b)
	}
	before := o.Store.Commits()
	var all sync.WaitGroup
	for _, b := range browsers {
		all.Go(func() {
			for range flows {
				b.MustJoin("alice", "shop")
			}
		})
	}
	all.Wait()
	if got := o.Store.Commits() - before; got >= callers*flows {
		t.Errorf("got %d commits for %d flows, want fewer", got, callers*flows)
	}
}
