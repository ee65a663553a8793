package register_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/curfew-id/curfew/provider"
	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/provider/providertest"
)

// TestClientCannotRegisterPrivilegedScopes: a scope beyond those about users is a right at an API. A client that
// registered itself gets it from an operator or not at all, and keeps it when it changes its registration.
func TestClientCannotRegisterPrivilegedScopes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, func(c *provider.Config) { c.Registration.Mode = policy.RegistrationOpen })
		var made struct {
			ID     string `json:"client_id"`
			Secret string `json:"client_secret"`
			Token  string `json:"registration_access_token"`
			Scope  string `json:"scope"`
		}
		send := func(method, path, body string) {
			t.Helper()
			r := httptest.NewRequest(method, path, strings.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			if made.Token != "" {
				r.Header.Set("Authorization", "Bearer "+made.Token)
			}
			w := httptest.NewRecorder()
			o.Provider.ServeHTTP(w, r)
			if err := json.Unmarshal(w.Body.Bytes(), &made); err != nil || w.Code >= 300 {
				t.Fatalf("got %d %s, %v", w.Code, w.Body, err)
			}
		}
		own := func(scope string) string {
			t.Helper()
			p := o.Browser().
				Do(http.MethodPost, "/token", url.Values{
					"grant_type":    {"client_credentials"},
					"scope":         {scope},
					"client_id":     {made.ID},
					"client_secret": {made.Secret},
				}, nil)
			var a struct {
				Error, Scope string
			}
			if err := json.Unmarshal([]byte(p.Body), &a); err != nil {
				t.Fatal(err)
			}
			return a.Error + a.Scope
		}
		const body = `"grant_types":["client_credentials"],"token_endpoint_auth_method":"client_secret_post","scope":"payments:write"}`
		send(http.MethodPost, "/register", `{`+body)
		if got := own("payments:write"); got != "invalid_scope" {
			t.Errorf("got %q for a scope it gave itself, want invalid_scope", got)
		}
		if made.Scope != "openid" {
			t.Errorf("got %q registered, want openid: nothing would mean all", made.Scope)
		}
		send(http.MethodPut, "/register/"+made.ID, `{"client_id":"`+made.ID+`",`+body)
		if got := own("payments:write"); got != "invalid_scope" {
			t.Errorf("after an update: got %q, want invalid_scope", got)
		}
		o.MustAdmin(http.MethodPatch, "/clients/"+made.ID, `{"scope":"openid payments:write"}`)
		send(http.MethodPut, "/register/"+made.ID, `{"client_id":"`+made.ID+`",`+body)
		if got := own("payments:write"); got != "payments:write" {
			t.Errorf("after an operator gave it: got %q, want payments:write", got)
		}
	})
}
