package provider_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"

	"github.com/curfew-id/curfew/provider"
	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
)

// TestImplicitAndHybridFlowAreOffUnlessTurnedOn: tokens in the address of a browser leak (RFC 9700 §2.1.2). Discovery
// lists exactly what is on, and a client that was registered before cannot use what is off.
func TestImplicitAndHybridFlowAreOffUnlessTurnedOn(t *testing.T) {
	for _, on := range []bool{false, true} {
		f := providertest.MustStart(t, func(c *provider.Config) { c.Token.Implicit = on })
		f.MustAddClient("shop", func(m *storage.Metadata) {
			m.ResponseTypes = []string{"code", "id_token", "code id_token"}
			m.GrantTypes = []string{"authorization_code", "implicit"}
		})
		b := f.Browser()
		b.MustSignIn("alice", "shop")
		for _, responseType := range []string{"id_token", "code id_token"} {
			p := b.Do(http.MethodGet, providertest.AuthorizeURL("shop", "response_type", responseType), nil, nil)
			answer := p.ResponseParams(t)
			if got := answer.Get("id_token") != ""; got != on || !on && answer.Get("error") != "unsupported_response_type" {
				t.Errorf("on %v, %s: got %v", on, responseType, answer)
			}
		}
		var discovery struct {
			ResponseTypes []string `json:"response_types_supported"`
			GrantTypes    []string `json:"grant_types_supported"`
		}
		p := b.Do(http.MethodGet, "/.well-known/openid-configuration", nil, nil)
		if err := json.Unmarshal([]byte(p.Body), &discovery); err != nil {
			t.Fatal(err)
		}
		if slices.Contains(discovery.GrantTypes, "implicit") != on ||
			slices.Contains(discovery.ResponseTypes, "id_token token") != on ||
			slices.Contains(discovery.ResponseTypes, "code id_token") != on {
			t.Errorf("on %v: discovery lists %+v", on, discovery)
		}
		response := f.Admin(http.MethodPost, "/clients",
			`{"redirect_uris":["https://new.example/cb"],"response_types":["code id_token"]}`)
		if (response.Status == http.StatusCreated) != on {
			t.Errorf("on %v: got %d %s for a client of the hybrid flow", on, response.Status, response.Body)
		}
	}
}
