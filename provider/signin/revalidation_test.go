package signin_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
)

// TestFinishValidatesTheRequestAgain: the client, its redirect URI or the session may have changed since the page was
// shown.
func TestFinishValidatesTheRequestAgain(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*providertest.Fixture)
		leads  string // to an error page that names this; empty: back to the sign-in page
	}{
		"the redirect URI is no longer registered": {func(o *providertest.Fixture) {
			o.MustAdmin(http.MethodPatch, "/clients/atlas", `{"redirect_uris":["https://atlas.example/other"]}`)
		}, "redirect_uri"},
		"the application was disabled": {
			func(o *providertest.Fixture) { o.MustAdmin(http.MethodPost, "/clients/atlas/disable", "") },
			"client_id",
		},
		"the application was removed": {
			func(o *providertest.Fixture) { o.MustAdmin(http.MethodDelete, "/clients/atlas", "") },
			"client_id",
		},
		"the session has ended": {
			func(o *providertest.Fixture) { o.MustAdmin(http.MethodPost, "/logouts", `{"all_users":true}`) },
			"",
		},
		"the user was disabled": {
			func(o *providertest.Fixture) { o.MustAdmin(http.MethodPost, "/users/alice/disable", "") },
			"",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := providertest.MustStart(t, nil)
				o.MustAddClient("atlas", func(m *storage.Metadata) { m.Consent = "ask" })
				b := o.Browser()
				signIn := b.Get(providertest.AuthorizeURL("atlas"))
				consent := b.Submit(signIn, "username", "alice", "password", providertest.Password)
				if !strings.Contains(consent.Body, `id="allow"`) {
					t.Fatalf("got %d, want the consent page", consent.Status)
				}
				time.Sleep(time.Second)
				c.change(o)
				for _, p := range []providertest.Page{
					b.Submit(consent, "decision", "allow"),
					b.Copy().Submit(signIn, "username", "alice", "password", "wrong"),
				} {
					if c.leads != "" {
						p.MustName(t, c.leads)
					} else if !strings.Contains(p.Body, `id="password"`) {
						t.Errorf("got %d to %q, want the sign-in page", p.Status, p.Header.Get("Location"))
					}
				}
			})
		})
	}
}

// TestOpenPageGrantsOnlyWhatIsStillRegistered: the scopes and claims that a client may request are checked when the
// page is sent, not only when it is opened.
func TestOpenPageGrantsOnlyWhatIsStillRegistered(t *testing.T) {
	no := false
	for name, c := range map[string]struct {
		register func(*storage.Metadata)
		request  []string
		change   string
	}{
		"the response type was taken away": {
			func(m *storage.Metadata) {
				m.ResponseTypes, m.GrantTypes = []string{
					"code",
					"id_token token",
				}, []string{"authorization_code", "implicit"}
			},
			[]string{"response_type", "id_token token", "code_challenge", "", "code_challenge_method", ""},
			`{"response_types":["code"],"grant_types":["authorization_code"]}`,
		},
		"PKCE is demanded now": {
			func(m *storage.Metadata) { m.RequirePKCE = &no },
			[]string{"code_challenge", "", "code_challenge_method", ""},
			`{"require_pkce":true}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := providertest.MustStart(t, nil)
				o.MustAddClient("atlas", c.register)
				b := o.Browser()
				page := b.Get(providertest.AuthorizeURL("atlas", c.request...))
				time.Sleep(time.Second)
				o.MustAdmin(http.MethodPatch, "/clients/atlas", c.change)
				p := b.Submit(page, "username", "alice", "password", providertest.Password)
				if location := p.Header.Get("Location"); p.Status != http.StatusBadRequest ||
					strings.Contains(location, "code=") ||
					strings.Contains(location, "access_token=") {
					t.Errorf("got %d to %q, want an error page", p.Status, location)
				}
			})
		})
	}
}
