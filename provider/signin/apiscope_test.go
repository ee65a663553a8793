package signin_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/curfew-id/curfew/provider"
	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
)

// TestConsentPageShowsWhatTheUserMayGrant: the descriptions of the APIs' scopes, in the language of the page, and no
// scope of a group that the user is not in. The log says what was not granted.
func TestConsentPageShowsWhatTheUserMayGrant(t *testing.T) {
	var log bytes.Buffer
	f := providertest.MustStart(t, func(c *provider.Config) {
		c.Log = slog.New(slog.NewTextHandler(&log, nil))
		c.APIScopes = storage.APIScopes{
			"orders.read": {
				Name:        "orders.read",
				Audience:    []string{"https://orders.example"},
				Description: map[string]string{"en": "See your <orders>", "de": "Ihre Bestellungen sehen"},
				Clients:     []string{"atlas"},
			},
			"orders.write": {
				Name:     "orders.write",
				Audience: []string{"https://orders.example"},
				Clients:  []string{"atlas"},
				Groups:   []string{"sales"},
			},
		}
	})
	f.MustAddClient("atlas", func(m *storage.Metadata) { m.Consent = "" })
	f.MustAddClient("ledger", nil)
	b := f.Browser()
	b.MustSignIn("alice", "ledger")
	scope := []string{"scope", "openid orders.read orders.write"}
	page, asked := asksConsent(b, "atlas", scope...)
	if !asked || !strings.Contains(page.Body, "See your &lt;orders&gt;") || strings.Contains(page.Body, "orders.write") {
		t.Errorf("got %s, want the description of orders.read only", page.Body)
	}
	german, _ := asksConsent(b, "atlas", append(scope, "ui_locales", "de")...)
	if !strings.Contains(german.Body, "Ihre Bestellungen sehen") {
		t.Errorf("got %s, want the description in German", german.Body)
	}
	if b.Submit(page, "decision", "allow").ResponseParams(t).Get("code") == "" {
		t.Fatal("got no code")
	}
	if line := "scope=orders.write"; !strings.Contains(log.String(), line) {
		t.Errorf("got log %s, want %s", log.String(), line)
	}
	if _, asked = asksConsent(b, "atlas", scope...); asked {
		t.Error("got asked again for a scope that the user cannot grant")
	}
	// A new member has not been asked for the scope of the group.
	f.MustAdmin(http.MethodPut, "/groups/sales/members/alice", "")
	if page, asked = asksConsent(b, "atlas", scope...); !asked || !strings.Contains(page.Body, "orders.write") {
		t.Errorf("got %d %s, want the consent page with the scope of the group", page.Status, page.Path)
	}
	apps := b.Get("/account/applications")
	if !strings.Contains(apps.Body, "Ihre Bestellungen sehen") && !strings.Contains(apps.Body, "See your &lt;orders&gt;") {
		t.Errorf("got %s, want the description on the page of apps", apps.Body)
	}
}
