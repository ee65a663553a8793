package provider_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// The commits that each kind of request may cost, each of them an fsync that somebody waits for.

// mustCost does something and holds it to its number of commits.
func (o *op) mustCost(t *testing.T, what string, want uint64, do func()) {
	t.Helper()
	synctest.Wait() // what goes on behind an answer is done
	before := o.store.Commits()
	do()
	if got := o.store.Commits() - before; got != want {
		t.Errorf("got %d commits for %s, want %d", got, what, want)
	}
}

func TestRequestsKeepTheirBudgetOfCommits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := mustStart(t, nil)
		for _, id := range []string{"shop", "mail"} {
			o.mustAddClient(id, nil)
		}
		o.mustAddClient("job", func(m *storage.Metadata) { m.AccessTokenFormat = "jwt" })
		b := o.browser()
		first := b.mustJoin("alice", "shop")
		bearer := http.Header{"Authorization": {"Bearer " + first.AccessToken}}

		flow := func() { b.mustJoin("alice", "mail") }
		o.mustCost(t, "a code flow that joins a session", 1, flow)
		o.mustCost(t, "a code flow of a member", 1, flow)
		time.Sleep(30 * time.Minute)
		o.mustCost(t, "a code flow after half an hour without any", 1, flow)
		o.mustCost(t, "authorization without redemption", 0, func() { b.mustPromptNone("shop") })
		o.mustCost(t, "prompt none without a session", 0, func() { o.browser().mustPromptNone("shop") })
		o.mustCost(t, "a refresh", 1, func() {
			if a := o.token("shop", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {first.RefreshToken}}); a.Error != "" {
				t.Errorf("got %+v, want tokens", a)
			}
		})
		o.mustCost(t, "introspection", 0, func() {
			if !o.active("shop", first.AccessToken) {
				t.Error("got an inactive token")
			}
		})
		o.mustCost(t, "userinfo", 0, func() {
			if p := b.do(http.MethodGet, "/userinfo", nil, bearer); p.Status != http.StatusOK {
				t.Errorf("got %d from userinfo", p.Status)
			}
		})
		o.mustCost(t, "client_credentials for a JWT", 0, func() {
			if a := o.token("job", url.Values{"grant_type": {"client_credentials"}}); a.AccessToken == "" {
				t.Errorf("got %+v, want a token", a)
			}
		})
		o.mustCost(t, "client_credentials for an opaque token", 1, func() { o.token("shop", url.Values{"grant_type": {"client_credentials"}}) })
		o.mustCost(t, "discovery and keys", 0, func() { b.get("/.well-known/openid-configuration"); b.get("/jwks") })
		o.mustCost(t, "a wrong code", 0, func() { o.redeem("shop", "no code") })
		o.mustCost(t, "revocation of an access token", 1, func() { o.call("shop", "/revoke", url.Values{"token": {first.AccessToken}}) })

		// Telling the applications costs commits of its own, behind the browser's answer.
		o.stop()
		<-o.done
		o.mustCost(t, "a logout", 1, func() {
			if p := b.get("/end_session?id_token_hint=" + first.IDToken); !strings.Contains(p.Body, `id="signed-out"`) {
				t.Errorf("got %d, want the signed-out page:\n%s", p.Status, p.Body)
			}
		})
	})
}

// TestConcurrentFlowsShareCommits needs no luck: while one commit is under way, which takes a disk far longer than a handler, 15 others queue.
func TestConcurrentFlowsShareCommits(t *testing.T) {
	o := mustStart(t, nil)
	o.mustAddClient("shop", nil)
	const callers, flows = 16, 20
	var browsers []*browser
	for range callers {
		b := o.browser()
		b.mustJoin("alice", "shop")
		browsers = append(browsers, b)
	}
	before := o.store.Commits()
	var all sync.WaitGroup
	for _, b := range browsers {
		all.Go(func() {
			for range flows {
				b.mustJoin("alice", "shop")
			}
		})
	}
	all.Wait()
	if got := o.store.Commits() - before; got >= callers*flows {
		t.Errorf("got %d commits for %d flows, want fewer", got, callers*flows)
	}
}
