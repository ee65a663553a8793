package signin_test

import (
	"encoding/base64"
	"encoding/json"
	"testing"

	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
)

// TestRequestObjectTypIsJWTOrItsOwn: RFC 9101 §10.8, RFC 8725 §3.11. A token of another kind is no request object.
func TestRequestObjectTypIsJWTOrItsOwn(t *testing.T) {
	f := providertest.MustStart(t, nil)
	f.MustAddClient("atlas", func(m *storage.Metadata) { m.RequestObjectSigningAlg = "none" })
	b := f.Browser()
	b.MustSignIn("alice", "atlas")
	encode := func(value map[string]any) string {
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	for typ, want := range map[string]string{
		"":                          "",
		"JWT":                       "",
		"jwt":                       "",
		"oauth-authz-req+jwt":       "",
		"OAuth-Authz-Req+JWT":       "", // media types are compared without case
		"logout+jwt":                "invalid_request_object",
		"at+jwt":                    "invalid_request_object",
		"client-authentication+jwt": "invalid_request_object",
		"application/jwt":           "invalid_request_object",
		"dpop+jwt":                  "invalid_request_object",
	} {
		header := map[string]any{"alg": "none"}
		if typ != "" {
			header["typ"] = typ
		}
		object := encode(header) + "." + encode(map[string]any{"client_id": "atlas", "state": "from the object"}) + "."
		got := b.MustSignIn("alice", "atlas", "request", object, "prompt", "none")
		if got.Get("error") != want || want == "" && got.Get("state") != "from the object" {
			t.Errorf("typ %q: got error %q and state %q, want error %q", typ, got.Get("error"), got.Get("state"), want)
		}
	}
}
