package signin_test

import (
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
)

// TestClientAdmitsOnlyItsGroups: another user gets a page that says whom to ask, and no code.
func TestClientAdmitsOnlyItsGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("wiki", func(m *storage.Metadata) {
			m.AdmitGroups = []string{"editors", "staff"}
			m.Contacts = []string{"wiki@example.org"}
		})
		o.MustAddClient("atlas", nil)
		b := o.Browser()
		b.MustSignIn("alice", "atlas")

		p := b.Get(providertest.AuthorizeURL("wiki"))
		if p.Status != http.StatusForbidden || !strings.Contains(p.Body, "Wiki") ||
			!strings.Contains(p.Body, "wiki@example.org") || !strings.Contains(p.Body, "error=access_denied") {
			t.Errorf("got %d %s, want a page that names the app, the contact and the way back", p.Status, p.Body)
		}
		// Somebody else at this browser is in the group.
		o.MustAddUser("bob")
		o.MustAdmin(http.MethodPut, "/groups/staff/members/bob", "")
		other := regexp.MustCompile(`id="other-account" href="([^"]*)"`).FindStringSubmatch(p.Body)
		if other == nil {
			t.Fatalf("got %s, want a link to sign in with another account", p.Body)
		}
		guest := b.Copy()
		page := guest.Get(html.UnescapeString(other[1]))
		p = guest.Submit(page, "username", "bob", "password", providertest.Password)
		if p.ResponseParams(t).Get("code") == "" {
			t.Errorf("got %d %s, want a code for the other account", p.Status, p.Body)
		}
		o.MustAdmin(http.MethodDelete, "/groups/staff/members/bob", "")
		b = o.Browser() // the sign-in of the other account ended the session
		b.MustSignIn("alice", "atlas")

		answer := b.MustPromptNone("wiki")
		if answer.Get("error") != "access_denied" || answer.Get("code") != "" {
			t.Errorf("got %v for prompt=none, want access_denied", answer)
		}
		if !b.SignedIn("atlas") {
			t.Error("got the user signed out of another app")
		}

		o.MustAdmin(http.MethodPut, "/groups/staff/members/alice", "")
		if !b.SignedIn("wiki") {
			t.Error("got a member refused")
		}
		o.MustAdmin(http.MethodDelete, "/groups/staff/members/alice", "")
		if b.SignedIn("wiki") || !b.SignedIn("atlas") {
			t.Error("got the user signed in at the app of the group, or out of the other one")
		}
	})
}

// TestConsentPageOfUserWhoLeftTheGroup: the page was left open, and its answer gives no code.
func TestConsentPageOfUserWhoLeftTheGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("atlas", nil)
		o.MustAddClient("wiki", func(m *storage.Metadata) { m.AdmitGroups, m.Consent = []string{"staff"}, "" })
		o.MustAdmin(http.MethodPut, "/groups/staff/members/alice", "")
		b := o.Browser()
		b.MustSignIn("alice", "atlas")
		p, asked := asksConsent(b, "wiki")
		if !asked {
			t.Fatalf("got %s, want the consent page", p.Body)
		}
		o.MustAdmin(http.MethodDelete, "/groups/staff/members/alice", "")
		if p = b.Submit(p, "decision", "allow"); p.Status != http.StatusForbidden {
			t.Errorf("got %d %s, want a refusal", p.Status, p.Path)
		}
	})
}
