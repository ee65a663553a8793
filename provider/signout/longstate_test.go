package signout_test

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
)

// longStateRequest is a logout request of alice's browser.
type longStateRequest struct {
	*providertest.Fixture
	browser *providertest.Browser
	form    url.Values // post_logout_redirect_uri and state
	hint    string
}

func (r longStateRequest) with(name, value string) url.Values {
	form := maps.Clone(r.form)
	form.Set(name, value)
	return form
}

// crossSite are the headers of a form that a page of another site submits.
var crossSite = http.Header{
	"Sec-Fetch-Site": {"cross-site"},
	"Sec-Fetch-Mode": {"navigate"},
	"Sec-Fetch-Dest": {"document"},
}

// longStatePaths are the ways of a logout request to the return target or to a link to it. Each returns the page.
var longStatePaths = map[string]func(r longStateRequest) providertest.Page{
	"hint": func(r longStateRequest) providertest.Page {
		return r.browser.Get("/end_session?" + r.with("id_token_hint", r.hint).Encode())
	},
	"hint in a form": func(r longStateRequest) providertest.Page {
		return r.browser.Post("/end_session", r.with("id_token_hint", r.hint))
	},
	"hint in a form of another site": func(r longStateRequest) providertest.Page {
		withheld := r.browser.Cookies // SameSite=Lax cookies do not come with the form
		r.browser.Cookies = map[string]string{}
		page := r.browser.Do(http.MethodPost, "/end_session", r.with("id_token_hint", r.hint), crossSite)
		r.browser.Cookies = withheld
		return r.browser.Follow(page)
	},
	"client_id, confirmed": func(r longStateRequest) providertest.Page {
		page := r.browser.Get("/end_session?" + r.with("client_id", "atlas").Encode())
		return r.browser.Submit(page, "scope", "session")
	},
	"no client, confirmed": func(r longStateRequest) providertest.Page {
		return r.browser.Submit(r.browser.Get("/end_session?"+r.form.Encode()), "scope", "session")
	},
	"no session": func(r longStateRequest) providertest.Page {
		return r.Browser().Get("/end_session?" + r.with("id_token_hint", r.hint).Encode())
	},
	"no session, client_id": func(r longStateRequest) providertest.Page {
		return r.Browser().Get("/end_session?" + r.with("client_id", "atlas").Encode())
	},
	"backend": func(r longStateRequest) providertest.Page {
		form := r.with("id_token_hint", r.hint)
		return r.Browser().Do(http.MethodPost, "/end_session", form, http.Header{"Sec-Fetch-Site": nil})
	},
}

// TestLongStateLeavesOnEveryPath: a state of 8,000 characters, and the longest one that is accepted, come back
// whichever way the user signs out.
func TestLongStateLeavesOnEveryPath(t *testing.T) {
	const target = "https://atlas.example/bye"
	longest := strings.Repeat("s", 10_000-len(`{"t":"`+target+`","a":"","o":true}`))
	for name, run := range longStatePaths {
		for _, state := range []string{strings.Repeat("s1~", 2667)[:8000], longest} {
			synctest.Test(t, func(t *testing.T) {
				f := providertest.MustStart(t, nil)
				f.MustAddClient("atlas", func(m *storage.Metadata) { m.BackendLogout = "session" })
				b := f.Browser()
				hint := b.MustJoin("alice", "atlas").IDToken
				form := url.Values{"post_logout_redirect_uri": {target}, "state": {state}}
				page := run(longStateRequest{f, b, form, hint})
				returned := target + "?state=" + state
				if page.Header.Get("Location") != returned && !strings.Contains(page.Body, returned) {
					t.Errorf("%s, %d characters: got %d without the return target: %.300s",
						name, len(state), page.Status, page.Body)
				}
			})
		}
	}
}

// TestTooLongStateIsRefusedOnEveryPath: whether a request works does not depend on the user's session.
func TestTooLongStateIsRefusedOnEveryPath(t *testing.T) {
	for _, state := range []string{strings.Repeat("s", 10_000), strings.Repeat("&", 5000)} { // & has six bytes in JSON
		for _, client := range []string{"", "atlas"} {
			synctest.Test(t, func(t *testing.T) {
				f := providertest.MustStart(t, nil)
				f.MustAddClient("atlas", nil)
				signedIn := f.Browser()
				hint := signedIn.MustJoin("alice", "atlas").IDToken
				form := url.Values{"post_logout_redirect_uri": {"https://atlas.example/bye"}, "state": {state}}
				if client != "" {
					form.Set("client_id", client)
				}
				withHint := maps.Clone(form)
				withHint.Set("id_token_hint", hint)
				for name, page := range map[string]providertest.Page{
					"signed out":       f.Browser().Get("/end_session?" + form.Encode()),
					"signed out, POST": f.Browser().Post("/end_session", form),
					"signed in":        signedIn.Get("/end_session?" + form.Encode()),
					"signed in, POST":  signedIn.Post("/end_session", form),
					"hint":             signedIn.Get("/end_session?" + withHint.Encode()),
				} {
					if page.Status != http.StatusRequestEntityTooLarge {
						t.Errorf("%s, client %q: got %d, want 413", name, client, page.Status)
					}
				}
				if !signedIn.SignedIn("atlas") {
					t.Error("got signed out by a request that was refused")
				}
			})
		}
	}
}
