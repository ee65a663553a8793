package register

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/storage"
)

// mustProblems validates metadata given as JSON over a sound base.
func mustProblems(t *testing.T, over string, p Policy) Problems {
	t.Helper()
	m := storage.Metadata{RedirectURIs: []string{"https://app.example/cb"}}
	if err := json.Unmarshal([]byte(over), &m); err != nil {
		t.Fatalf("test metadata %s: %v", over, err)
	}
	err := Validate(&m, p)
	var all Problems
	if err != nil && !errors.As(err, &all) {
		t.Fatalf("got error %v, want Problems", err)
	}
	return all
}

func TestSoundMetadataPasses(t *testing.T) {
	for _, over := range []string{
		`{}`,
		`{"redirect_uris":["https://app.example:8443/cb?x=1&y=%2F","http://localhost:3000/cb","http://app.localhost/cb","http://127.0.0.1/cb","http://[::1]:80/cb","HTTPS://App.Example/cb"]}`,
		`{"application_type":"native","redirect_uris":["com.example.app:/cb","com.example.app://cb","http://127.0.0.1/cb","https://app.example/claimed"],"token_endpoint_auth_method":"none"}`,
		`{"response_types":["id_token token","code"],"grant_types":["implicit","authorization_code","refresh_token"]}`,
		`{"response_types":["token id_token code"]}`,
		`{"redirect_uris":null,"grant_types":["client_credentials"]}`,
		`{"post_logout_redirect_uris":["https://app.example/bye"],"backchannel_logout_uri":"https://other.example/bcl?a=b","frontchannel_logout_uri":"https://APP.example:443/fcl?x"}`,
		`{"backchannel_logout_uri":"http://app.localhost:9000/bcl"}`,
		`{"request_uris":["https://app.example/request.jwt#hash"],"initiate_login_uri":"https://app.example/start"}`,
		`{"subject_type":"pairwise"}`,
		`{"subject_type":"pairwise","redirect_uris":["https://a.example/cb","https://b.example/cb"],"sector_identifier_uri":"https://a.example/sector.json"}`,
		`{"require_pkce":false,"access_token_format":"jwt","audience":["https://api.example"],"consent":"skip","logout_token_typ":"JWT","logout_token_claims":"sid","backend_logout":"session","logout_scope":"all","refresh_tokens":"offline","session_expiry":900,"clock_skew":0}`,
		`{"client_name":"Büro & Co","scope":"openid profile https://api.example/read"}`,
	} {
		if got := mustProblems(t, over, Policy{Implicit: true}); got != nil {
			t.Errorf("%s: got %v, want no problem", over, got)
		}
	}
}

func TestUnsoundMetadataIsRefusedWithFieldCodeAndAdvice(t *testing.T) {
	for _, c := range []struct{ over, code, field, text string }{
		{`{"redirect_uris":[]}`, InvalidRedirectURI, "redirect_uris", "missing"},
		{`{"redirect_uris":["https://app.example/cb#"]}`, InvalidRedirectURI, "redirect_uris[0]", "fragment"},
		{`{"redirect_uris":["https://app.example/cb#f"]}`, InvalidRedirectURI, "redirect_uris[0]", "fragment"},
		{`{"redirect_uris":["https://user@app.example/cb"]}`, InvalidRedirectURI, "redirect_uris[0]", "user name"},
		{
			`{"redirect_uris":["https://good.example:pw@evil.example/cb"]}`,
			InvalidRedirectURI,
			"redirect_uris[0]",
			"user name",
		},
		{`{"redirect_uris":["https://*.example/cb"]}`, InvalidRedirectURI, "redirect_uris[0]", "wildcard"},
		{`{"redirect_uris":["https://app.example/*"]}`, InvalidRedirectURI, "redirect_uris[0]", "wildcard"},
		{`{"redirect_uris":["http://app.example/cb"]}`, InvalidRedirectURI, "redirect_uris[0]", "https"},
		{`{"redirect_uris":["http://localhost.evil.example/cb"]}`, InvalidRedirectURI, "redirect_uris[0]", "https"},
		{`{"redirect_uris":["http://127.0.0.1.evil.example/cb"]}`, InvalidRedirectURI, "redirect_uris[0]", "https"},
		{`{"redirect_uris":["/cb"]}`, InvalidRedirectURI, "redirect_uris[0]", "absolute"},
		{`{"redirect_uris":[""]}`, InvalidRedirectURI, "redirect_uris[0]", "empty"},
		{`{"redirect_uris":["https:///cb"]}`, InvalidRedirectURI, "redirect_uris[0]", "no host"},
		{`{"redirect_uris":["https:app.example/cb"]}`, InvalidRedirectURI, "redirect_uris[0]", "no host"},
		{`{"redirect_uris":["https://app.example:/cb"]}`, InvalidRedirectURI, "redirect_uris[0]", "port"},
		{`{"redirect_uris":["https://app.example:99999/cb"]}`, InvalidRedirectURI, "redirect_uris[0]", "port"},
		{
			`{"redirect_uris":["https://app.example\\@evil.example/cb"]}`,
			InvalidRedirectURI,
			"redirect_uris[0]",
			"RFC 3986",
		},
		{`{"redirect_uris":["https://app.example/c b"]}`, InvalidRedirectURI, "redirect_uris[0]", "RFC 3986"},
		{`{"redirect_uris":["https://app.example/{cb}"]}`, InvalidRedirectURI, "redirect_uris[0]", "RFC 3986"},
		{`{"redirect_uris":["https://bücher.example/cb"]}`, InvalidRedirectURI, "redirect_uris[0]", "RFC 3986"},
		{`{"redirect_uris":["https://app.example/\ncb"]}`, InvalidRedirectURI, "redirect_uris[0]", "RFC 3986"},
		{`{"redirect_uris":["JavaScript:alert(1)"]}`, InvalidRedirectURI, "redirect_uris[0]", "scheme"},
		{`{"redirect_uris":["com.example.app:/cb"]}`, InvalidRedirectURI, "redirect_uris[0]", "native"},
		{
			`{"redirect_uris":["javascript:alert(1)"],"application_type":"native"}`,
			InvalidRedirectURI,
			"redirect_uris[0]",
			"reverse",
		},
		{
			`{"redirect_uris":["data:text/html,x"],"application_type":"native"}`,
			InvalidRedirectURI,
			"redirect_uris[0]",
			"reverse",
		},
		{
			`{"redirect_uris":["http://localhost/cb"],"response_types":["id_token"]}`,
			InvalidRedirectURI,
			"redirect_uris[0]",
			"implicit",
		},
		{
			`{"post_logout_redirect_uris":["https://app.example/bye#x"]}`,
			InvalidMetadata,
			"post_logout_redirect_uris[0]",
			"fragment",
		},
		{
			`{"post_logout_redirect_uris":["http://app.example/bye"]}`,
			InvalidMetadata,
			"post_logout_redirect_uris[0]",
			"https",
		},
		{
			`{"backchannel_logout_uri":"https://app.example/bcl#x"}`,
			InvalidMetadata,
			"backchannel_logout_uri",
			"fragment",
		},
		{`{"backchannel_logout_uri":"http://app.example/bcl"}`, InvalidMetadata, "backchannel_logout_uri", "https"},
		{`{"backchannel_logout_uri":"HTTPS://app.example/bcl"}`, InvalidMetadata, "backchannel_logout_uri", "write"},
		{`{"backchannel_logout_uri":"gopher://app.example/bcl"}`, InvalidMetadata, "backchannel_logout_uri", "https"},
		{
			`{"backchannel_logout_uri":"https://app.example/` + strings.Repeat("a", 2048) + `"}`,
			InvalidMetadata,
			"backchannel_logout_uri",
			"longer",
		},
		{
			`{"frontchannel_logout_uri":"https://other.example/fcl"}`,
			InvalidMetadata,
			"frontchannel_logout_uri",
			"redirect URI",
		},
		{
			`{"frontchannel_logout_uri":"https://app.example:444/fcl"}`,
			InvalidMetadata,
			"frontchannel_logout_uri",
			"redirect URI",
		},
		{
			`{"frontchannel_logout_uri":"https://app.example/fcl#x"}`,
			InvalidMetadata,
			"frontchannel_logout_uri",
			"fragment",
		},
		{`{"token_endpoint_auth_method":"none","require_pkce":false}`, InvalidMetadata, "require_pkce", "leave it out"},
		{
			`{"token_endpoint_auth_method":"tls_client_auth"}`,
			InvalidMetadata,
			"token_endpoint_auth_method",
			"private_key_jwt",
		},
		{`{"token_endpoint_auth_method":"private_key_jwt"}`, InvalidMetadata, "jwks", "jwks_uri"},
		{
			`{"token_endpoint_auth_method":"private_key_jwt","jwks_uri":"https://app.example/jwks","token_endpoint_auth_signing_alg":"HS256"}`,
			InvalidMetadata,
			"token_endpoint_auth_signing_alg",
			"RS256",
		},
		{
			`{"token_endpoint_auth_method":"private_key_jwt","jwks_uri":"https://app.example/jwks","token_endpoint_auth_signing_alg":"none"}`,
			InvalidMetadata,
			"token_endpoint_auth_signing_alg",
			"RS256",
		},
		{
			`{"token_endpoint_auth_method":"client_secret_jwt","token_endpoint_auth_signing_alg":"RS256"}`,
			InvalidMetadata,
			"token_endpoint_auth_signing_alg",
			"HS256",
		},
		{`{"jwks_uri":"https://app.example/jwks","jwks":{"keys":[]}}`, InvalidMetadata, "jwks", "beside"},
		{`{"jwks_uri":"http://app.example/jwks"}`, InvalidMetadata, "jwks_uri", "https"},
		{`{"request_object_signing_alg":"RS256"}`, InvalidMetadata, "jwks", "signed request objects"},
		{`{"response_types":["token"]}`, InvalidMetadata, "response_types[0]", "id_token"},
		{
			`{"response_types":["code","id_token"],"grant_types":["authorization_code"]}`,
			InvalidMetadata,
			"grant_types",
			"implicit",
		},
		{
			`{"response_types":["code"],"grant_types":["authorization_code","implicit"]}`,
			InvalidMetadata,
			"response_types",
			"implicit",
		},
		{
			`{"response_types":["code id_token"],"grant_types":["implicit"]}`,
			InvalidMetadata,
			"grant_types",
			"authorization_code",
		},
		{`{"grant_types":["password"]}`, InvalidMetadata, "grant_types[0]", "not known"},
		{
			`{"grant_types":["authorization_code","client_credentials"],"token_endpoint_auth_method":"none"}`,
			InvalidMetadata,
			"grant_types",
			"authenticates",
		},
		{`{"grant_types":["refresh_token"]}`, InvalidMetadata, "grant_types", "code"},
		{`{"id_token_signed_response_alg":"none"}`, InvalidMetadata, "id_token_signed_response_alg", "RS256"},
		{`{"id_token_signed_response_alg":"HS256"}`, InvalidMetadata, "id_token_signed_response_alg", "RS256"},
		{`{"userinfo_signed_response_alg":"none"}`, InvalidMetadata, "userinfo_signed_response_alg", "RS256"},
		{`{"subject_type":"private"}`, InvalidMetadata, "subject_type", "pairwise"},
		{
			`{"subject_type":"pairwise","redirect_uris":["https://a.example/cb","https://b.example/cb"]}`,
			InvalidMetadata,
			"sector_identifier_uri",
			"missing",
		},
		{
			`{"subject_type":"pairwise","application_type":"native","redirect_uris":["com.x.app://victim.example/cb"]}`,
			InvalidMetadata,
			"sector_identifier_uri",
			"missing",
		},
		{`{"sector_identifier_uri":"http://localhost/s.json"}`, InvalidMetadata, "sector_identifier_uri", "https"},
		{`{"initiate_login_uri":"http://localhost/start"}`, InvalidMetadata, "initiate_login_uri", "https"},
		{`{"logo_uri":"data:image/png;base64,AA"}`, InvalidMetadata, "logo_uri", "https"},
		{`{"tos_uri":"javascript:alert(1)"}`, InvalidMetadata, "tos_uri", "https"},
		{`{"request_uris":["ftp://app.example/r"]}`, InvalidMetadata, "request_uris[0]", "https"},
		{`{"client_id":"a b"}`, InvalidMetadata, "client_id", "visible ASCII"},
		{`{"client_id":".."}`, InvalidMetadata, "client_id", "path"},
		{`{"client_name":"a\u0007b"}`, InvalidMetadata, "client_name", "shown"},
		{`{"client_name":"a\u202eb"}`, InvalidMetadata, "client_name", "shown"},
		{`{"scope":"openid  email"}`, InvalidMetadata, "scope", "single spaces"},
		{`{"default_max_age":-1}`, InvalidMetadata, "default_max_age", "negative"},
		{`{"consent":"never"}`, InvalidMetadata, "consent", "skip"},
		{`{"access_token_format":"saml"}`, InvalidMetadata, "access_token_format", "opaque"},
		{`{"logout_token_typ":"jwt"}`, InvalidMetadata, "logout_token_typ", "JWT"},
		{
			`{"logout_token_claims":"sub","backchannel_logout_session_required":true}`,
			InvalidMetadata,
			"logout_token_claims",
			"sid",
		},
		{`{"backend_logout":"yes"}`, InvalidMetadata, "backend_logout", "session"},
		{`{"logout_scope":"planet"}`, InvalidMetadata, "logout_scope", "all"},
		{`{"refresh_tokens":"both"}`, InvalidMetadata, "refresh_tokens", "offline"},
		{`{"session_expiry":-1}`, InvalidMetadata, "session_expiry", "seconds"},
		{`{"introspection_cache":99999999999}`, InvalidMetadata, "introspection_cache", "seconds"},
		{`{"clock_skew":4000}`, InvalidMetadata, "clock_skew", "3600"},
		{`{"audience":[""]}`, InvalidMetadata, "audience[0]", "empty"},
	} {
		got := mustProblems(t, c.over, Policy{Implicit: true})
		if len(got) != 1 || got[0].Code != c.code || got[0].Field != c.field || !strings.Contains(got[0].Text, c.text) {
			t.Errorf("%s:\ngot  %+v\nwant %s %s with %q", c.over, []Problem(got), c.code, c.field, c.text)
		}
	}
}

func TestAllProblemsAreReportedTogether(t *testing.T) {
	got := mustProblems(
		t,
		`{"redirect_uris":["http://a.example","x:y"],"consent":"no","jwks_uri":"ftp://a","scope":" "}`,
		Policy{Implicit: true},
	)
	if len(got) != 5 {
		t.Errorf("got %d problems %v, want 5", len(got), got)
	}
	if got.Code() != InvalidRedirectURI {
		t.Errorf("got code %s, want %s", got.Code(), InvalidRedirectURI)
	}
}

func TestDefaultsAreThoseOfRegistration(t *testing.T) {
	m := storage.Metadata{
		RedirectURIs:  []string{"https://app.example/cb"},
		ResponseTypes: []string{"token code id_token"},
	}
	given := m.ResponseTypes
	if err := Validate(&m, Policy{Implicit: true}); err != nil {
		t.Fatal(err)
	}
	got := strings.Join(
		[]string{
			strings.Join(m.ResponseTypes, ","),
			strings.Join(m.GrantTypes, ","),
			m.ApplicationType,
			m.TokenEndpointAuthMethod,
			m.IDTokenSignedResponseAlg,
			m.SubjectType,
		},
		" | ",
	)
	if want := "code id_token token | authorization_code,implicit | web |  | RS256 | public"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if given[0] != "token code id_token" {
		t.Errorf("the caller's slice was changed to %q", given[0])
	}
}

func TestUnsignedIDTokensNeedPolicyAndCode(t *testing.T) {
	if got := mustProblems(t, `{"id_token_signed_response_alg":"none"}`, Policy{AllowUnsignedIDTokens: true, Implicit: true}); got != nil {
		t.Errorf("with code: got %v, want no problem", got)
	}
	if got := mustProblems(t, `{"id_token_signed_response_alg":"none","response_types":["code token"]}`, Policy{AllowUnsignedIDTokens: true, Implicit: true}); got != nil {
		t.Errorf("with code token: got %v, want no problem: no ID token comes from the authorization endpoint", got)
	}
	if got := mustProblems(t, `{"id_token_signed_response_alg":"none","response_types":["code id_token"]}`, Policy{AllowUnsignedIDTokens: true, Implicit: true}); len(
		got,
	) != 1 {
		t.Errorf("with code id_token: got %v, want one problem", got)
	}
}

func TestBreakingTheTrustHorizonIsRefusedWithRuleAndMeasure(t *testing.T) {
	p := Policy{
		MaxTrustHorizon: 10 * time.Minute,
		Lifetimes:       logout.Lifetimes{Opaque: time.Hour, JWT: 14 * time.Minute, Session: 24 * time.Hour},
	}
	for _, c := range []struct {
		over string
		want []string
	}{
		{`{"session_expiry":540}`, nil},
		{`{"session_expiry":540,"access_token_format":"jwt","audience":["https://api.example"]}`, []string{"jwt", "5m0s more"}},
		{`{"session_expiry":900}`, []string{"session_expiry", "6m0s more"}},
		{`{}`, []string{"no bound", "session_expiry"}},
		{`{"grant_types":["client_credentials"],"redirect_uris":null}`, nil},
	} {
		got := mustProblems(t, c.over, p)
		if c.want == nil && got != nil || c.want != nil && (len(got) != 1 || got[0].Field != "max_trust_horizon") {
			t.Errorf("%s: got %v, want %d problem at max_trust_horizon", c.over, got, min(1, len(c.want)))
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(got[0].Text, want) {
				t.Errorf("%s: got %q, want %q in it", c.over, got[0].Text, want)
			}
		}
	}
}

func TestMisspeltMemberIsNamedWithTheNearestOne(t *testing.T) {
	_, err := DecodeStrict([]byte(`{"redirect_uri":["https://a.example"],"Client_Name":"A","foo_bar_baz":1}`))
	if err == nil {
		t.Fatal("got no error")
	}
	for _, want := range []string{
		"redirect_uri: is not known; did you mean redirect_uris?",
		"did you mean client_name?",
		"foo_bar_baz: is not known",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %q, want %q in it", err, want)
		}
	}
	if _, err := Decode([]byte(`{"foo_bar_baz":1,"jwks":null}`)); err != nil {
		t.Errorf("RFC 7591 §2: got %v for an unknown member, want it ignored", err)
	}
}

func TestWrongJSONTypesNameTheMember(t *testing.T) {
	for body, want := range map[string]string{
		`{"redirect_uris":"https://a.example"}`: "redirect_uris: is a JSON string; write an array of strings",
		`{"require_pkce":"no"}`:                 "require_pkce: is a JSON string; write true or false",
		`{"session_expiry":1.5}`:                "session_expiry",
		`[]`:                                    "body: is not a JSON object",
		`{`:                                     "body: is not a JSON object",
	} {
		if _, err := DecodeStrict([]byte(body)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", body, err, want)
		}
	}
}
