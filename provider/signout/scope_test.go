package signout_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider"
	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
)

// TestSignOutEndsWhatWasConfigured: at this client, in this browser, or everywhere; for the deployment, by the
// client, or as the user is asked.
func TestSignOutEndsWhatWasConfigured(t *testing.T) {
	for name, c := range map[string]struct {
		deployment  storage.LogoutScope
		client      storage.LogoutScope
		here, phone bool // active afterwards
	}{
		"nothing configured":                {"", "", false, true},
		"the deployment, this application":  {storage.ScopeClient, "", true, true},
		"the deployment, everywhere":        {storage.ScopeAll, "", false, false},
		"the client before the deployment":  {storage.ScopeAll, "client", true, true},
		"the client, everywhere":            {"", "all", false, false},
		"the client, this browser, instead": {storage.ScopeAll, "session", false, true},
	} {
		for _, ask := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				o := providertest.MustStart(
					t,
					func(p *provider.Config) { p.Logout.Scope, p.Logout.AlwaysConfirm = c.deployment, ask },
				)
				o.MustAddClient("atlas", func(m *storage.Metadata) { m.LogoutScope = c.client })
				o.MustAddClient("ledger", nil)
				here, phone := o.Browser(), o.Browser()
				hint := here.MustJoin("alice", "atlas").IDToken
				here.MustJoin("alice", "ledger")
				phone.MustJoin("alice", "ledger")
				time.Sleep(time.Second)
				p := here.Get(
					providertest.EndSessionURL("id_token_hint", hint, "logout_hint", "nobody", "ui_locales", "<>"),
				)
				if asked := strings.Contains(p.Body, `id="stay"`); asked != ask {
					t.Fatalf("%s: got asked %v, want %v", name, asked, ask)
				}
				if ask { // the first choice is what would have happened
					_, first, _ := strings.Cut(p.Body, `name="scope" value="`)
					first, _, _ = strings.Cut(first, `"`)
					p = here.Submit(p, "scope", first)
				}
				if p.Status != http.StatusOK || here.SignedIn("ledger") != c.here ||
					phone.SignedIn("ledger") != c.phone {
					t.Errorf(
						"%s: got %d, this browser %v and the phone %v, want %v and %v",
						name,
						p.Status,
						here.SignedIn("ledger"),
						phone.SignedIn("ledger"),
						c.here,
						c.phone,
					)
				}
			})
		}
	}
}

// TestSilentSignInAfterLogoutIsRefused: a client that sends the browser straight back after a sign-out gets a
// question, or an error where nobody may be asked; after a whole sign-out the sign-in page is there anyway.
func TestSilentSignInAfterLogoutIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("atlas", nil)
		o.MustAddClient("ledger", nil)
		b := o.Browser()
		leave := func() {
			t.Helper()
			time.Sleep(time.Second)
			b.Submit(b.Get(providertest.EndSessionURL("client_id", "atlas")), "scope", "client")
			time.Sleep(time.Second)
		}
		b.MustJoin("alice", "atlas")
		b.MustJoin("alice", "ledger")
		leave()
		if got := b.MustPromptNone("atlas").Get("error"); got != "interaction_required" {
			t.Errorf("got %q for prompt=none, want interaction_required", got)
		}
		if got := b.Do(http.MethodGet, providertest.AuthorizeURL("ledger"), nil, nil).ResponseParams(t).Get("code"); got == "" {
			t.Error("got the other application asked too")
		}
		p := b.Get(providertest.AuthorizeURL("atlas"))
		if !strings.Contains(p.Body, "You just signed out") {
			t.Fatalf("got %d to %q, want to be asked", p.Status, p.Header.Get("Location"))
		}
		if got := b.Submit(p).ResponseParams(t).Get("code"); got == "" {
			t.Error("got no code after saying yes")
		}
		if !b.SignedIn("atlas") {
			t.Error("got asked twice")
		}
		b.MustJoin("alice", "atlas")
		leave()
		time.Sleep(2 * time.Minute)
		if !b.SignedIn("atlas") {
			t.Error("got asked two minutes later")
		}
		// A share that ended by the account page's button counts as well.
		b.MustJoin("alice", "atlas")
		time.Sleep(time.Second)
		use := b.Get("/account").Buttons("leave")
		for _, one := range use {
			if strings.HasSuffix(one, " atlas") {
				b.Submit(b.Get("/account"), "leave", one)
			}
		}
		if p := b.Get(providertest.AuthorizeURL("atlas")); !strings.Contains(p.Body, "You just signed out") {
			t.Errorf("got %d to %q after leaving on the account page", p.Status, p.Header.Get("Location"))
		}
		b.Submit(b.Get(providertest.EndSessionURL()), "scope", "session")
		time.Sleep(time.Second)
		if p := b.Get(providertest.AuthorizeURL("atlas")); !strings.Contains(p.Body, `id="password"`) {
			t.Errorf("got %d to %q after a whole sign-out, want the sign-in page", p.Status, p.Header.Get("Location"))
		}
		b.MustSignIn("alice", "ledger")
		if p := b.Do(http.MethodGet, providertest.AuthorizeURL("atlas"), nil, nil); p.ResponseParams(t).
			Get("code") ==
			"" {
			t.Error("got asked although the user has signed in since")
		}
	})
}

// TestFramesAreNotifiedNeverConfirmed: that the browser was given a frame is noted in the report, and nothing more is
// ever made of it.
func TestFramesAreNotifiedNeverConfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("atlas", func(m *storage.Metadata) {
			m.BackchannelLogoutURI, m.FrontchannelLogoutURI = "", "https://atlas.example/front"
		})
		row := func() storage.ReportEntry {
			t.Helper()
			reports, _, err := o.Store.ListReports(t.Context(), storage.ReportFilter{}, storage.Page{})
			if err != nil || len(reports) == 0 {
				t.Fatalf("got %d reports, %v", len(reports), err)
			}
			return *reports[0].Entry(logout.KindClientSession, "atlas")
		}
		b := o.Browser()
		b.MustJoin("alice", "atlas")
		o.MustAdmin(http.MethodPost, "/logouts", `{"user":"alice"}`) // no browser is there to ask it
		if got := row().Trust; got != storage.TrustUnknown {
			t.Errorf("got %s without a browser, want unknown", got)
		}
		time.Sleep(time.Second)
		b = o.Browser()
		b.Get(providertest.EndSessionURL("id_token_hint", b.MustJoin("alice", "atlas").IDToken))
		time.Sleep(time.Hour)
		if got := row().Trust; got != storage.TrustNotified {
			t.Errorf("got %s after the frame, want notified", got)
		}
	})
}

// TestUnverifiedPostLogoutURIIsOnlyOffered: without a session and without a hint, any website could have written the
// request.
func TestUnverifiedPostLogoutURIIsOnlyOffered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("atlas", nil)
		const target = "https://atlas.example/bye"
		p := o.Browser().Get(providertest.EndSessionURL("client_id", "atlas", "post_logout_redirect_uri", target))
		if p.Status != http.StatusOK || p.Link("continue") != target || strings.Contains(p.Body, "data-continue-url") ||
			strings.Contains(p.Body, "http-equiv") {
			t.Errorf("got %d, want a link and nothing that follows it:\n%s", p.Status, p.Body)
		}
		o.MustAdmin(http.MethodPost, "/clients/atlas/disable", "")
		if p := o.Browser().Get(providertest.EndSessionURL("client_id", "atlas", "post_logout_redirect_uri", target)); strings.Contains(
			p.Body,
			target,
		) {
			t.Error("got the way to an application that is switched off")
		}
	})
}
