package register_test

import (
	"strings"
	"testing"

	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/provider/register"
	"github.com/curfew-id/curfew/storage"
)

// TestAccessTokenIsForNoClient: a relying party that does not check typ takes a JWT access token with its client_id as
// aud for an ID token. So no audience is a client, and no client becomes an audience.
func TestAccessTokenIsForNoClient(t *testing.T) {
	o := mustStart(t, policy.RegistrationOff, "")
	registrar := o.handler.Registrar
	registrar.Clients = o.store
	build := func(id, format string, audience ...string) (storage.Client, string) {
		c, _, err := registrar.NewClient(t.Context(), storage.Metadata{
			ClientID:          id,
			RedirectURIs:      []string{"https://" + id + ".example/cb"},
			AccessTokenFormat: format,
			Audience:          audience,
		}, "")
		if err == nil {
			return c, ""
		}
		return c, err.(register.Problems).Error()
	}
	add := func(id, format string, audience ...string) {
		t.Helper()
		c, problem := build(id, format, audience...)
		if problem != "" {
			t.Fatalf("%s: got %s", id, problem)
		}
		if err := o.store.PutClient(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	add("app", "")
	add("spa", "jwt", "https://api.example", "orders")
	for _, test := range []struct {
		id, format string
		audience   []string
		want       string
	}{
		{"no-audience", "jwt", nil, "audience: is missing"},
		{"itself", "jwt", []string{"itself"}, "is the client itself"},
		{"of-another", "jwt", []string{"https://api.example", "app"}, `audience[1]: "app" is the client_id of a client`},
		{"orders", "", nil, `client_id: is an audience of the client "spa"`},
		{"opaque", "", nil, ""},
	} {
		_, problem := build(test.id, test.format, test.audience...)
		if (problem == "") != (test.want == "") || !strings.Contains(problem, test.want) {
			t.Errorf("%s: got %q, want %q", test.id, problem, test.want)
		}
	}
}
