package provider_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
)

// revocation_upstream_test.go has the other provider with whose accounts users sign in. It lives inside the synctest
// bubble and signs with the keys of the provider under test.

const (
	upstreamIssuer  = "https://up.example"
	upstreamSubject = "up-alice"
	upstreamLaptop  = "up-laptop" // the sid of the session there, in the laptop's browser
	upstreamExpiry  = 30 * time.Second
)

func upstreamSettings() policy.Upstream {
	return policy.Upstream{
		ID:       "up",
		Name:     "Up",
		Issuer:   upstreamIssuer,
		ClientID: "curfew",
		Secret:   "secret",
		Create:   policy.CreateUsersOff,
		Logout:   policy.UpstreamLogoutAsk,
	}
}

// mustServeUpstream starts the other provider, and links alice's account there. With expires its ID tokens have
// session_expiry.
func mustServeUpstream(t testing.TB, f *providertest.Fixture, expires bool) {
	t.Helper()
	f.Clients.Publish(upstreamIssuer+"/.well-known/openid-configuration", `{"issuer":"`+upstreamIssuer+`",
		"authorization_endpoint":"`+upstreamIssuer+`/authorize","token_endpoint":"`+upstreamIssuer+`/token",
		"jwks_uri":"`+upstreamIssuer+`/jwks"}`)
	f.Clients.Serve(upstreamTokens{f, expires})
	err := f.Store.Link(t.Context(), storage.Identity{
		Issuer:   upstreamIssuer,
		Subject:  upstreamSubject,
		User:     "sub-alice",
		Provider: "up",
		Created:  time.Now(),
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
}

// upstreamTokens is the token endpoint of the other provider. A code there is a nonce and a sid.
type upstreamTokens struct {
	*providertest.Fixture
	expires bool
}

func (u upstreamTokens) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.ParseForm(); err != nil {
		return nil, err
	}
	nonce, sid, _ := strings.Cut(r.PostForm.Get("code"), " ")
	claims := u.claims(map[string]any{"sub": upstreamSubject, "nonce": nonce, "sid": sid})
	if u.expires {
		claims["session_expiry"] = time.Now().Add(upstreamExpiry).Unix()
	}
	token, err := u.Ring.Sign(keys.RS256, "JWT", claims)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": token})
	header := http.Header{"Content-Type": {"application/json"}}
	return &http.Response{
		StatusCode: http.StatusOK,
		Header:     header,
		Body:       io.NopCloser(strings.NewReader(string(body))),
	}, err
}

// claims returns the claims that each token of the other provider has, and more.
func (u upstreamTokens) claims(more map[string]any) map[string]any {
	now := time.Now()
	claims := map[string]any{
		"iss": upstreamIssuer,
		"aud": "curfew",
		"iat": now.Unix(),
		"exp": now.Add(2 * time.Minute).Unix(),
	}
	for name, value := range more {
		claims[name] = value
	}
	return claims
}

// mustSignInAtUpstream signs in with the account of the other provider on a sign-in page, and returns the page that
// follows. sid is that of the session there.
func mustSignInAtUpstream(b *providertest.Browser, p providertest.Page, sid string) providertest.Page {
	b.Fixture.T.Helper()
	b.Fixture.Clients.Publish(upstreamIssuer+"/jwks", b.Get("/jwks").Body) // a restore makes new keys
	p = b.Get(p.Path + "/upstream/up")
	request, err := url.Parse(p.Header.Get("Location"))
	if err != nil || request.Host != "up.example" {
		b.Fixture.T.Fatalf("got %d at %s, want a redirect to the other provider", p.Status, p.Path)
	}
	q := request.Query()
	response := url.Values{"state": q["state"], "code": {q.Get("nonce") + " " + sid}}
	return b.Get("/upstream/up/callback?" + response.Encode())
}

// mustPostLogoutToken sends a logout token of the other provider (Back-Channel Logout 1.0 §2.5).
func (h *scenario) mustPostLogoutToken(more map[string]any) {
	h.t.Helper()
	claims := upstreamTokens{Fixture: h.Fixture}.claims(more)
	claims["jti"] = "1"
	claims["events"] = map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}
	token, err := h.Ring.Sign(keys.RS256, "logout+jwt", claims)
	if err != nil {
		h.t.Fatal(err)
	}
	form := url.Values{"logout_token": {token}}
	if p := h.Browser().Do(http.MethodPost, "/upstream/up/backchannel_logout", form, nil); p.Status != http.StatusOK {
		h.t.Fatalf("got %d %s for a logout token, want 200", p.Status, p.Body)
	}
}

// mustRefuseRecheck opens an app on the laptop after the interval of re-checks. The other provider answers the silent
// request with login_required (Core §3.1.2.6).
func (h *scenario) mustRefuseRecheck() {
	h.t.Helper()
	time.Sleep(upstreamExpiry)
	p := h.laptop.Do(
		http.MethodGet,
		providertest.AuthorizeURL("ledger"),
		nil,
		http.Header{"Sec-Fetch-Dest": {"document"}},
	)
	request, err := url.Parse(p.Header.Get("Location"))
	if err != nil || request.Host != "up.example" || request.Query().Get("prompt") != "none" {
		h.t.Fatalf("got %d to %q, want a silent request to the other provider", p.Status, p.Header.Get("Location"))
	}
	response := url.Values{"state": request.Query()["state"], "error": {"login_required"}}
	h.laptop.Get("/upstream/up/callback?" + response.Encode())
}
