package providertest

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TokenResponse is a response of the token endpoint: tokens or an error.
type TokenResponse struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	IDToken      string `json:"id_token"`
	Scope        string `json:"scope"`
	Error        string `json:"error"`
	Status       int    `json:"-"`
}

// Token calls the token endpoint as a client.
func (f *Fixture) Token(client string, form url.Values) TokenResponse {
	f.T.Helper()
	p := f.Call(client, "/token", form)
	var response TokenResponse
	if err := json.Unmarshal([]byte(p.Body), &response); err != nil {
		f.T.Fatalf("got %d %q from /token", p.Status, p.Body)
	}
	response.Status = p.Status
	return response
}

// Call posts a form as a client that authenticates with its secret (client_secret_basic).
func (f *Fixture) Call(client, path string, form url.Values) Page {
	basic := base64.StdEncoding.EncodeToString([]byte(client + ":" + Secret))
	header := http.Header{"Authorization": {"Basic " + basic}, "Sec-Fetch-Site": {"cross-site"}}
	return f.Browser().Do(http.MethodPost, path, form, header)
}

// Redeem exchanges a code for tokens.
func (f *Fixture) Redeem(client, code string) TokenResponse {
	f.T.Helper()
	return f.Token(client, url.Values{
		"grant_type":    {"authorization_code"},
		"code":          {code},
		"redirect_uri":  {"https://" + client + ".example/cb"},
		"code_verifier": {Verifier},
	})
}

// Active reports whether a token is active according to introspection (RFC 7662 §2.2).
func (f *Fixture) Active(client, token string) bool {
	f.T.Helper()
	p := f.Call(client, "/introspect", url.Values{"token": {token}})
	var response struct {
		Active bool `json:"active"`
	}
	if err := json.Unmarshal([]byte(p.Body), &response); err != nil || p.Status != http.StatusOK {
		f.T.Fatalf("got %d %q from /introspect", p.Status, p.Body)
	}
	return response.Active
}

// MustReadClaims decodes the payload of a JWT. It does not verify the signature.
func MustReadClaims(t testing.TB, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("got %q, want a JWT", token)
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(raw, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}
