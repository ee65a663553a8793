package account_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/curfew-id/curfew/provider"
	"github.com/curfew-id/curfew/provider/providertest"
)

// TestOnlyOperatorsChangeAddressesByDefault: without mail nothing proves that a new address is the user's.
func TestOnlyOperatorsChangeAddressesByDefault(t *testing.T) {
	o := providertest.MustStart(t, func(c *provider.Config) { c.EmailChange = false })
	o.MustAddClient("shop", nil)
	b := o.Browser()
	b.MustSignIn("alice", "shop")
	p := b.Get("/account/security")
	if strings.Contains(p.Body, "/account/email") || !strings.Contains(p.Body, "alice@example.org") {
		t.Errorf("got %s, want the address without a form", p.Body)
	}
	p = b.SubmitSecurity("/account/email", "email", "mallory@example.org", "current-password", providertest.Password)
	if u, err := o.Store.User(t.Context(), "sub-alice"); err != nil || u.Email != "alice@example.org" ||
		p.Status != http.StatusNotFound {
		t.Errorf("got %d and address %q (%v), want 404 and the address as before", p.Status, u.Email, err)
	}
}
