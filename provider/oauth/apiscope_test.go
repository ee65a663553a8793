package oauth_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/curfew-id/curfew/provider"
	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
)

const (
	ordersAPI = "https://orders.example"
	billsAPI  = "https://bills.example"
)

// mustStartWithAPIs starts a provider with scopes of two APIs and the client shop, whose access tokens have format.
func mustStartWithAPIs(t *testing.T, format string) *providertest.Fixture {
	t.Helper()
	f := providertest.MustStart(t, func(c *provider.Config) {
		c.APIScopes = storage.APIScopes{
			"orders.read":  {Name: "orders.read", Audience: []string{ordersAPI}, Clients: []string{"shop"}},
			"orders.write": {Name: "orders.write", Audience: []string{ordersAPI}, Clients: []string{"shop"}, Groups: []string{"sales"}},
			"bills":        {Name: "bills", Audience: []string{billsAPI}, Clients: []string{"shop"}},
			"secrets":      {Name: "secrets", Audience: []string{billsAPI}, Clients: []string{"other"}},
		}
	})
	f.MustAddClient("shop", func(m *storage.Metadata) { m.AccessTokenFormat = format })
	return f
}

// introspection is what the client sees of its token: the scope, sorted, and the audience.
func introspection(t *testing.T, f *providertest.Fixture, token string) (scope string, audience any) {
	t.Helper()
	p := f.Call("shop", "/introspect", url.Values{"token": {token}})
	var response map[string]any
	if err := json.Unmarshal([]byte(p.Body), &response); err != nil || response["active"] != true {
		t.Fatalf("got %d %q, want an active token", p.Status, p.Body)
	}
	values := strings.Fields(response["scope"].(string))
	slices.Sort(values)
	return strings.Join(values, " "), response["aud"]
}

const allScopes = "openid orders.read orders.write bills secrets"

// TestScopesOfAPIsAreGrantedToTheirClientsAndGroups: the token response says what was granted, and the access token is
// for the API, whether it is opaque or a JWT.
func TestScopesOfAPIsAreGrantedToTheirClientsAndGroups(t *testing.T) {
	for _, format := range []string{"opaque", "jwt"} {
		f := mustStartWithAPIs(t, format)
		got := f.Browser().MustJoin("alice", "shop", "scope", "openid orders.read orders.write secrets")
		if got.Scope != "openid orders.read" {
			t.Errorf("%s: got scope %q, want openid orders.read", format, got.Scope)
		}
		if scope, audience := introspection(t, f, got.AccessToken); scope != "openid orders.read" || audience != ordersAPI {
			t.Errorf("%s: got scope %q for %v, want openid orders.read for the API", format, scope, audience)
		}
		if format == "jwt" {
			if claims := providertest.MustReadClaims(t, got.AccessToken); claims["aud"] != ordersAPI {
				t.Errorf("got aud %v, want the API", claims["aud"])
			}
		}
		f.MustAdmin(http.MethodPut, "/groups/sales/members/alice", "")
		got = f.Browser().MustJoin("alice", "shop", "scope", allScopes)
		if want := "openid orders.read orders.write bills"; got.Scope != want {
			t.Errorf("%s: got scope %q for a member, want %q", format, got.Scope, want)
		}
	}
}

// TestUserWhoLeavesTheGroupLosesItsScope: in tokens that were issued, in codes and at the next refresh.
func TestUserWhoLeavesTheGroupLosesItsScope(t *testing.T) {
	for _, format := range []string{"opaque", "jwt"} {
		f := mustStartWithAPIs(t, format)
		f.MustAdmin(http.MethodPut, "/groups/sales/members/alice", "")
		b := f.Browser()
		issued := b.MustJoin("alice", "shop", "scope", "openid orders.write")
		if issued.Scope != "openid orders.write" {
			t.Fatalf("%s: got scope %q", format, issued.Scope)
		}
		code := b.MustSignIn("alice", "shop", "scope", "openid orders.write").Get("code")
		f.MustAdmin(http.MethodDelete, "/groups/sales/members/alice", "")

		if scope, audience := introspection(t, f, issued.AccessToken); scope != "openid" || audience == ordersAPI {
			t.Errorf("%s: got scope %q for %v after the user left", format, scope, audience)
		}
		if redeemed := f.Redeem("shop", code); redeemed.Scope != "openid" {
			t.Errorf("%s: got scope %q for a code", format, redeemed.Scope)
		}
		refresh := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {issued.RefreshToken}}
		refreshed := f.Token("shop", refresh)
		if refreshed.Scope != "openid" {
			t.Errorf("%s: got %+v for a refresh", format, refreshed)
		}
		// Back in the group, the grant still has the scope.
		f.MustAdmin(http.MethodPut, "/groups/sales/members/alice", "")
		refresh.Set("refresh_token", refreshed.RefreshToken)
		if got := f.Token("shop", refresh); got.Scope != "openid orders.write" {
			t.Errorf("%s: got %+v for a refresh of a member", format, got)
		}
	}
}

// TestResourceLimitsATokenToItsAPI (RFC 8707 §2): at the authorization endpoint, at the exchange and at a refresh.
func TestResourceLimitsATokenToItsAPI(t *testing.T) {
	f := mustStartWithAPIs(t, "opaque")
	b := f.Browser()
	got := b.MustJoin("alice", "shop", "scope", "openid orders.read bills", "resource", billsAPI)
	if got.Scope != "openid bills" {
		t.Errorf("got scope %q, want openid bills", got.Scope)
	}
	if answer := b.Get(providertest.AuthorizeURL("shop", "resource", "https://x.example")).ResponseParams(t); answer.Get("error") != "invalid_target" {
		t.Errorf("got %v for an unknown resource, want invalid_target", answer)
	}
	redeem := url.Values{
		"grant_type":    {"authorization_code"},
		"code":          {b.MustSignIn("alice", "shop", "scope", "openid orders.read bills").Get("code")},
		"redirect_uri":  {"https://shop.example/cb"},
		"code_verifier": {providertest.Verifier},
		"resource":      {"https://x.example"},
	}
	if refused := f.Token("shop", redeem); refused.Error != "invalid_target" {
		t.Errorf("got %+v for another resource, want invalid_target", refused)
	}
	redeem.Set("resource", ordersAPI) // the refused request has not used the code
	got = f.Token("shop", redeem)
	if scope, audience := introspection(t, f, got.AccessToken); scope != "openid orders.read" || audience != ordersAPI {
		t.Errorf("got scope %q for %v, want that of the resource", scope, audience)
	}
	refresh := url.Values{
		"grant_type":    {"refresh_token"},
		"refresh_token": {got.RefreshToken},
		"resource":      {billsAPI},
	}
	got = f.Token("shop", refresh)
	if scope, audience := introspection(t, f, got.AccessToken); scope != "bills openid" || audience != billsAPI {
		t.Errorf("got scope %q for %v after a refresh, want that of the resource", scope, audience)
	}
	refresh.Set("refresh_token", got.RefreshToken)
	refresh.Set("resource", "https://x.example")
	if refused := f.Token("shop", refresh); refused.Error != "invalid_target" {
		t.Errorf("got %+v for another resource at a refresh, want invalid_target", refused)
	}
}

// TestClientGetsTheScopesOfAPIsForItself (RFC 6749 §4.4), but none that only members of a group may grant.
func TestClientGetsTheScopesOfAPIsForItself(t *testing.T) {
	f := mustStartWithAPIs(t, "opaque")
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {"bills"}}
	got := f.Token("shop", form)
	if scope, audience := introspection(t, f, got.AccessToken); scope != "bills" || audience != billsAPI {
		t.Errorf("got scope %q for %v, want bills for its API", scope, audience)
	}
	for _, scope := range []string{"orders.write", "secrets", "openid"} {
		form.Set("scope", scope)
		if refused := f.Token("shop", form); refused.Error != "invalid_scope" {
			t.Errorf("%s: got %+v, want invalid_scope", scope, refused)
		}
	}
	form = url.Values{"grant_type": {"client_credentials"}, "resource": {ordersAPI}}
	if got := f.Token("shop", form); got.Scope != "orders.read" {
		t.Errorf("got %+v without scope, want the scopes of the resource", got)
	}
}
