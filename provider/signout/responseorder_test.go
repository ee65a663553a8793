package signout_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-id/curfew/provider/egress"
	"github.com/curfew-id/curfew/provider/providertest"
)

// TestBrowserIsAnsweredFirst: relying parties answer only after the browser's answer has been read. If anything
// waited for them, this would hang. What they answer is shown as it comes.
func TestBrowserIsAnsweredFirst(t *testing.T) {
	endings := map[string]func(*providertest.Fixture, *providertest.Browser, providertest.TokenResponse) providertest.Page{
		"at an application": func(_ *providertest.Fixture, b *providertest.Browser, a providertest.TokenResponse) providertest.Page {
			return b.Get(providertest.EndSessionURL("id_token_hint", a.IDToken))
		},
		"on the account page": func(_ *providertest.Fixture, b *providertest.Browser, _ providertest.TokenResponse) providertest.Page {
			p := b.Get("/account")
			return b.Submit(p, "sign-out", p.Buttons("sign-out")[0])
		},
		"everywhere": func(_ *providertest.Fixture, b *providertest.Browser, _ providertest.TokenResponse) providertest.Page {
			return b.Submit(b.Get("/account"), "scope", "all")
		},
	}
	for name, end := range endings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o := providertest.MustStart(t, nil)
				for _, id := range []string{"atlas", "ledger"} {
					o.MustAddClient(id, nil)
				}
				read := make(chan struct{})
				o.Clients.Answer(func(uri string, _ url.Values) (egress.Response, error) {
					<-read
					if strings.Contains(uri, "ledger") {
						return egress.Response{Status: http.StatusBadRequest}, nil
					}
					return egress.Response{Status: http.StatusOK}, nil
				})
				b := o.Browser()
				atlas := b.MustJoin("alice", "atlas")
				b.MustJoin("alice", "ledger")
				time.Sleep(time.Minute) // otherwise both would get a re-notification

				p := end(o, b, atlas)
				if p.Status != http.StatusOK || !strings.Contains(p.Body, `id="signed-out"`) ||
					strings.Contains(p.Body, "Confirmed") {
					t.Fatalf("got %d, want the signed-out page with nobody confirmed:\n%s", p.Status, p.Body)
				}
				if b.SignedIn("atlas") || o.Active("atlas", atlas.AccessToken) {
					t.Error("got something still active when the browser had its answer")
				}
				status := p.Attribute("data-status-url")
				if got := b.Get(status).Body; !strings.Contains(got, `"done":false`) {
					t.Errorf("got status %s before any client answered", got)
				}
				close(read)
				synctest.Wait()
				if got := b.Get(status).Body; !strings.Contains(got, "Confirmed") ||
					!strings.Contains(got, "it refused (status 400)") {
					t.Errorf("got status %s, want one that confirmed and one that refused", got)
				}
			})
		})
	}
}
