package provider_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// TestSignOutEndsWhatWasConfigured: at this application, in this browser, or everywhere; for the deployment, by the client, or as the person is asked.
func TestSignOutEndsWhatWasConfigured(t *testing.T) {
	for name, c := range map[string]struct {
		deployment  templates.LogoutScope
		client      string
		here, phone bool // alive afterwards
	}{
		"nothing configured":                {"", "", false, true},
		"the deployment, this application":  {templates.ScopeClient, "", true, true},
		"the deployment, everywhere":        {templates.ScopeAll, "", false, false},
		"the client before the deployment":  {templates.ScopeAll, "client", true, true},
		"the client, everywhere":            {"", "all", false, false},
		"the client, this browser, instead": {templates.ScopeAll, "session", false, true},
	} {
		for _, ask := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				o := mustStart(t, func(p *provider.Config) { p.LogoutScope, p.LogoutAlwaysConfirm = c.deployment, ask })
				o.mustAddClient("atlas", func(m *storage.Metadata) { m.LogoutScope = c.client })
				o.mustAddClient("ledger", nil)
				here, phone := o.browser(), o.browser()
				hint := here.mustJoin("alice", "atlas").IDToken
				here.mustJoin("alice", "ledger")
				phone.mustJoin("alice", "ledger")
				time.Sleep(time.Second)
				p := here.get(endSession("id_token_hint", hint, "logout_hint", "nobody", "ui_locales", "<>"))
				if asked := strings.Contains(p.Body, `id="stay"`); asked != ask {
					t.Fatalf("%s: got asked %v, want %v", name, asked, ask)
				}
				if ask { // the first choice is what would have happened
					_, first, _ := strings.Cut(p.Body, `name="scope" value="`)
					first, _, _ = strings.Cut(first, `"`)
					p = here.submit(p, "scope", first)
				}
				if p.Status != http.StatusOK || here.signedIn("ledger") != c.here || phone.signedIn("ledger") != c.phone {
					t.Errorf("%s: got %d, this browser %v and the phone %v, want %v and %v", name, p.Status, here.signedIn("ledger"), phone.signedIn("ledger"), c.here, c.phone)
				}
			})
		}
	}
}

// TestSilentSignInAfterLogoutIsRefused: an application that sends the browser straight back after a sign-out gets a question, or an error where nobody may be
// asked; after a whole sign-out the sign-in page is there anyway.
func TestSilentSignInAfterLogoutIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := mustStart(t, nil)
		o.mustAddClient("atlas", nil)
		o.mustAddClient("ledger", nil)
		b := o.browser()
		leave := func() {
			t.Helper()
			time.Sleep(time.Second)
			b.submit(b.get(endSession("client_id", "atlas")), "scope", "client")
			time.Sleep(time.Second)
		}
		b.mustJoin("alice", "atlas")
		b.mustJoin("alice", "ledger")
		leave()
		if got := b.mustPromptNone("atlas").Get("error"); got != "interaction_required" {
			t.Errorf("got %q for prompt=none, want interaction_required", got)
		}
		if got := b.do(http.MethodGet, authorizeURL("ledger"), nil, nil).responseParams(t).Get("code"); got == "" {
			t.Error("got the other application asked too")
		}
		p := b.get(authorizeURL("atlas"))
		if !strings.Contains(p.Body, "You just signed out") {
			t.Fatalf("got %d to %q, want to be asked", p.Status, p.Header.Get("Location"))
		}
		if got := b.submit(p).responseParams(t).Get("code"); got == "" {
			t.Error("got no code after saying yes")
		}
		if !b.signedIn("atlas") {
			t.Error("got asked twice")
		}
		b.mustJoin("alice", "atlas")
		leave()
		time.Sleep(2 * time.Minute)
		if !b.signedIn("atlas") {
			t.Error("got asked two minutes later")
		}
		// A share that ended by the account page's button counts as well.
		b.mustJoin("alice", "atlas")
		time.Sleep(time.Second)
		use := b.get("/account").buttons("leave")
		for _, one := range use {
			if strings.HasSuffix(one, " atlas") {
				b.submit(b.get("/account"), "leave", one)
			}
		}
		if p := b.get(authorizeURL("atlas")); !strings.Contains(p.Body, "You just signed out") {
			t.Errorf("got %d to %q after leaving on the account page", p.Status, p.Header.Get("Location"))
		}
		b.submit(b.get(endSession()), "scope", "session")
		time.Sleep(time.Second)
		if p := b.get(authorizeURL("atlas")); !strings.Contains(p.Body, `id="password"`) {
			t.Errorf("got %d to %q after a whole sign-out, want the sign-in page", p.Status, p.Header.Get("Location"))
		}
		b.mustSignIn("alice", "ledger")
		if p := b.do(http.MethodGet, authorizeURL("atlas"), nil, nil); p.responseParams(t).Get("code") == "" {
			t.Error("got asked although the person has signed in since")
		}
	})
}

// TestFramesAreNotifiedNeverConfirmed: that the browser was given a frame is noted in the report, and nothing more is ever made of it.
func TestFramesAreNotifiedNeverConfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := mustStart(t, nil)
		o.mustAddClient("atlas", func(m *storage.Metadata) {
			m.BackchannelLogoutURI, m.FrontchannelLogoutURI = "", "https://atlas.example/front"
		})
		row := func() storage.ReportEntry {
			t.Helper()
			reports, _, err := o.store.ListReports(t.Context(), storage.ReportFilter{}, storage.Page{})
			if err != nil || len(reports) == 0 {
				t.Fatalf("got %d reports, %v", len(reports), err)
			}
			return *reports[0].Entry(logout.KindClientSession, "atlas")
		}
		b := o.browser()
		b.mustJoin("alice", "atlas")
		o.admin(http.MethodPost, "/endings", `{"user":"alice"}`) // no browser is there to ask it
		if got := row().Trust; got != storage.TrustUnknown {
			t.Errorf("got %s without a browser, want unknown", got)
		}
		time.Sleep(time.Second)
		b = o.browser()
		b.get(endSession("id_token_hint", b.mustJoin("alice", "atlas").IDToken))
		time.Sleep(time.Hour)
		if got := row().Trust; got != storage.TrustNotified {
			t.Errorf("got %s after the frame, want told", got)
		}
	})
}

// TestUnverifiedPostLogoutURIIsOnlyOffered: without a session and without a hint, anybody could have written the request.
func TestUnverifiedPostLogoutURIIsOnlyOffered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := mustStart(t, nil)
		o.mustAddClient("atlas", nil)
		const target = "https://atlas.example/bye"
		p := o.browser().get(endSession("client_id", "atlas", "post_logout_redirect_uri", target))
		if p.Status != http.StatusOK || p.link("continue") != target || strings.Contains(p.Body, "data-continue-url") || strings.Contains(p.Body, "http-equiv") {
			t.Errorf("got %d, want a link and nothing that follows it:\n%s", p.Status, p.Body)
		}
		o.admin(http.MethodPost, "/clients/atlas/disable", "")
		if p := o.browser().get(endSession("client_id", "atlas", "post_logout_redirect_uri", target)); strings.Contains(p.Body, target) {
			t.Error("got the way to an application that is switched off")
		}
	})
}
