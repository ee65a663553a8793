package signin_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
)

// TestConfidentialClientNeedsPKCEOrNonce: RFC 9700 §2.1.1. The nonce protects only a code whose ID
// token contains it.
func TestConfidentialClientNeedsPKCEOrNonce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		yes, no := true, false
		hybrid := []string{"code", "code id_token"}
		o.MustAddClient("unset", func(m *storage.Metadata) {
			m.ResponseTypes, m.GrantTypes = hybrid, []string{"authorization_code", "implicit"}
		})
		o.MustAddClient("strict", func(m *storage.Metadata) { m.RequirePKCE = &yes })
		o.MustAddClient("lax", func(m *storage.Metadata) { m.RequirePKCE = &no })
		o.MustAddClient("public", func(m *storage.Metadata) { m.TokenEndpointAuthMethod = "none" })
		b := o.Browser()
		for _, c := range []struct {
			client  string
			params  []string
			ok      bool
			setting string // what the error names
		}{
			{"unset", []string{"nonce", "n"}, true, ""},
			{"unset", []string{"nonce", ""}, false, "or a nonce"},
			{"unset", []string{"nonce", "n", "response_type", "code id_token"}, false, "require_pkce"},
			{"strict", []string{"nonce", "n"}, false, "require_pkce: true"},
			{"lax", []string{"nonce", ""}, true, ""},
			{"public", []string{"nonce", "n"}, false, "code_challenge"},
		} {
			b.MustSignIn("alice", c.client)
			params := append([]string{"code_challenge", "", "code_challenge_method", "", "prompt", "none"}, c.params...)
			a := b.Do(http.MethodGet, providertest.AuthorizeURL(c.client, params...), nil, nil).ResponseParams(t)
			if a.Has("code") != c.ok || !strings.Contains(a.Get("error_description"), c.setting) {
				t.Errorf("%s %v: got %v, want success %v", c.client, c.params, a, c.ok)
			}
		}
	})
}

// TestPKCEIsNotNegotiable: RFC 7636, RFC 9700 §2.1.1; only a confidential client may opt out.
func TestPKCEIsNotNegotiable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		yes, no := true, false
		o.MustAddClient("strict", func(m *storage.Metadata) { m.RequirePKCE = &yes })
		o.MustAddClient("lax", func(m *storage.Metadata) { m.RequirePKCE = &no })
		public := `{"client_id":"public","redirect_uris":["https://public.example/cb"],"token_endpoint_auth_method":"none","require_pkce":false}`
		if p := o.Admin(http.MethodPost, "/clients", public); p.Status != http.StatusBadRequest ||
			!strings.Contains(p.Body, "require_pkce") {
			t.Errorf("got %d %s for a public client without PKCE", p.Status, p.Body)
		}
		o.MustAddClient("public", func(m *storage.Metadata) { m.TokenEndpointAuthMethod = "none" })
		b := o.Browser()
		for _, id := range []string{"strict", "lax", "public"} {
			b.MustSignIn("alice", id)
			for name, c := range map[string]struct {
				challenge, method string
				ok                bool
			}{
				"S256":                 {providertest.Challenge, "S256", true},
				"plain":                {providertest.Challenge, "plain", false},
				"no method":            {providertest.Challenge, "", false}, // means plain (§4.3)
				"another method":       {providertest.Challenge, "s256", false},
				"no challenge":         {"", "S256", false},
				"a short one":          {providertest.Challenge[:42], "S256", false},
				"a long one":           {providertest.Challenge + "A", "S256", false},
				"padding":              {providertest.Challenge[:42] + "=", "S256", false},
				"another alphabet":     {strings.Replace(providertest.Challenge, "-", "+", 1), "S256", false},
				"nothing of it at all": {"", "", id == "lax"},
			} {
				a := b.Do(http.MethodGet, providertest.AuthorizeURL(id, "code_challenge", c.challenge, "code_challenge_method", c.method, "prompt", "none"), nil, nil).
					ResponseParams(t)
				if got := a.Get("code") != ""; got != c.ok || !c.ok && a.Get("error") != "invalid_request" {
					t.Errorf("%s, %s: got %v", id, name, a)
				}
			}
		}
		// A client that began without a challenge cannot add a verifier; one that began with a challenge cannot leave
		// the verifier out.
		without := b.Do(http.MethodGet, providertest.AuthorizeURL("lax", "code_challenge", "", "code_challenge_method", "", "prompt", "none"), nil, nil).
			ResponseParams(t).
			Get("code")
		if a := o.Redeem("lax", without); a.Error != "invalid_grant" {
			t.Errorf("got %+v for a verifier without a challenge", a)
		}
		form := url.Values{
			"grant_type":   {"authorization_code"},
			"code":         {b.MustPromptNone("lax").Get("code")},
			"redirect_uri": {"https://lax.example/cb"},
		}
		if a := o.Token("lax", form); a.Error != "invalid_grant" {
			t.Errorf("got %+v for a challenge without a verifier", a)
		}
	})
}
