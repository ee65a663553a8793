package signout_test

import (
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
)

// TestCrossSitePostOfABackendClientLoadsFrames: a browser's POST has no cookie yet; its user gets the whole sign-out,
// not the bare one of a server.
func TestCrossSitePostOfABackendClientLoadsFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("atlas", func(m *storage.Metadata) {
			m.BackendLogout, m.BackchannelLogoutURI, m.FrontchannelLogoutURI = "session", "", "https://atlas.example/front"
		})
		b := o.Browser()
		hint := b.MustJoin("alice", "atlas").IDToken
		lax := b.Cookies["__Host-curfew-session"]
		delete(b.Cookies, "__Host-curfew-session")
		p := b.Do(
			http.MethodPost,
			"/end_session",
			url.Values{"id_token_hint": {hint}},
			http.Header{"Sec-Fetch-Site": {"cross-site"}},
		)
		b.Cookies["__Host-curfew-session"] = lax
		if p = b.Follow(p); !strings.Contains(p.Body, "<iframe") || b.Cookies["__Host-curfew-session"] != "" {
			t.Errorf("got %d without frames or with the cookie left, want the sign-out of a browser", p.Status)
		}
	})
}

// TestFramesOnlyInTheFirstAnswer: front-channel logout with iss and sid, under a policy that lists exactly the
// frames' origins. The page has a path of its own that can be loaded again, without frames, by this browser only.
func TestFramesOnlyInTheFirstAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("atlas", func(m *storage.Metadata) {
			m.BackchannelLogoutURI, m.FrontchannelLogoutURI = "", "https://atlas.example/front?tenant=1"
		})
		b := o.Browser()
		id := b.MustJoin("alice", "atlas").IDToken
		p := b.Get(providertest.EndSessionURL("id_token_hint", id))
		want := "https://atlas.example/front?tenant=1&iss=" + url.QueryEscape(
			providertest.Issuer,
		) + "&sid=" + url.QueryEscape(
			providertest.MustReadClaims(t, id)["sid"].(string),
		)
		if !strings.Contains(html.UnescapeString(p.Body), `<iframe src="`+want+`"`) {
			t.Errorf("got no frame to %s in\n%s", want, p.Body)
		}
		csp := p.Header.Get("Content-Security-Policy")
		if !strings.Contains(csp, "frame-src https://atlas.example;") ||
			!strings.Contains(csp, "frame-ancestors 'none'") {
			t.Errorf("got policy %q", csp)
		}
		if got := p.Header.Get("Clear-Site-Data"); strings.Contains(got, "cookies") || got == "" {
			t.Errorf("got Clear-Site-Data %q", got)
		}
		status := p.Path
		if !strings.HasPrefix(status, "/signed-out/") || strings.Contains(status, id) {
			t.Errorf("got the signed-out page at %s, want a path of its own, without the ID token", status)
		}
		again := b.Get(status)
		if again.Status != http.StatusOK || strings.Contains(again.Body, "<iframe") ||
			!strings.Contains(again.Body, "Atlas") {
			t.Errorf("got %d from the status page %s", again.Status, status)
		}
		if !strings.Contains(again.Body, "asked it through your browser") {
			t.Errorf("got no word of the frame in\n%s", again.Body)
		}
		if strings.Contains(again.Body, "Confirmed") {
			t.Error("got Confirmed for a front channel, of which nobody can know")
		}
		if got := o.Browser().Get(status); got.Status != http.StatusNotFound {
			t.Errorf("got %d for the status page in another browser, want 404", got.Status)
		}
		time.Sleep(time.Hour)
		if got := b.Get(status); got.Status != http.StatusNotFound {
			t.Errorf("got %d for the status page after an hour, want 404", got.Status)
		}
	})
}
