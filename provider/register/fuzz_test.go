package register_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/provider/register"
)

// FuzzMetadata: whatever a registration sends, the answer is a client or a client's mistake, and no registered
// redirect URI leads a code anywhere over a connection that others can read.
func FuzzMetadata(f *testing.F) {
	for _, seed := range []string{
		minimalMetadata,
		`{"redirect_uris":["http://localhost:1/cb"],"application_type":"native","token_endpoint_auth_method":"none"}`,
		`{"redirect_uris":["com.example.app:/cb"],"application_type":"native"}`,
		`{"redirect_uris":["javascript:alert(1)","https://a.example/cb#f","https://u@a.example/","https://*.example/cb"]}`,
		`{"redirect_uris":["https://a.example/cb"],"jwks":{"keys":[{"kty":"RSA"}]},"response_types":["id_token token"],"subject_type":"pairwise"}`,
		`{"redirect_uris":["https://a.example/cb"],"contacts":[1],"default_max_age":-1,"tos_uri":"data:,x"}`,
		`[]`,
		`null`,
		`{`,
		"\xff",
		`{"redirect_uris":[]}{}`,
	} {
		f.Add(seed)
	}
	fixture := mustStart(f, policy.RegistrationOpen, "")
	f.Fuzz(func(t *testing.T, body string) {
		w := fixture.do(http.MethodPost, register.Path, "", body)
		var client clientInfo
		switch {
		case w.Code >= http.StatusInternalServerError || w.Code < http.StatusCreated:
			t.Fatalf("got %d %s for %q", w.Code, w.Body, body)
		case w.Code == http.StatusCreated:
			if err := json.Unmarshal(w.Body.Bytes(), &client); err != nil {
				t.Fatal(err)
			}
		}
		for _, uri := range client.RedirectURIs {
			u, err := url.Parse(uri)
			if err != nil || u.Fragment != "" || u.User != nil ||
				u.Scheme == "http" && u.Hostname() != "localhost" && u.Hostname() != "127.0.0.1" &&
					u.Hostname() != "::1" {
				t.Errorf("got the redirect URI %q registered", uri)
			}
		}
	})
}
