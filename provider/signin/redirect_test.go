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

// mutations are redirect URIs that are not the registered https://atlas.example/cb, each a trick that was believed
// somewhere.
var mutations = []string{
	"",
	"https://atlas.example/cb/",
	"https://atlas.example/cb?x=1",
	"https://atlas.example/cb#",
	"https://atlas.example/cb#x",
	"https://atlas.example/CB",
	"https://ATLAS.example/cb",
	"HTTPS://atlas.example/cb",
	"http://atlas.example/cb",
	"https://atlas.example:443/cb",
	"https://atlas.example:8443/cb",
	"https://atlas.example./cb",
	"https://atlas.example",
	"https://atlas.example/",
	"https://atlas.example//cb",
	"https://atlas.example/./cb",
	"https://atlas.example/x/../cb",
	"https://atlas.example/%63b",
	"https://atlas.example/cb%00",
	"https://atlas.example/cb%0d%0aLocation:%20https://evil.example",
	"https://atlas.example/cb\r\nX: y",
	" https://atlas.example/cb",
	"https://atlas.example/cb ",
	"\thttps://atlas.example/cb",
	"https://atlas.example@evil.example/cb",
	"https://evil.example/https://atlas.example/cb",
	"https://evil.example?https://atlas.example/cb",
	"https://evil.example#https://atlas.example/cb",
	"https://evil.example\\@atlas.example/cb",
	"https://atlas.example.evil.example/cb",
	"https://evilatlas.example/cb",
	"https://sub.atlas.example/cb",
	"https://user:pw@atlas.example/cb",
	"//atlas.example/cb",
	"//evil.example",
	"/cb",
	"cb",
	"https:/atlas.example/cb",
	"https:atlas.example/cb",
	"https:///atlas.example/cb",
	"javascript:alert(1)//https://atlas.example/cb",
	"JaVaScRiPt:alert(1)",
	"data:text/html,<script>alert(1)</script>",
	"vbscript:x",
	"about:blank",
	"file:///etc/passwd",
	"https://xn--atls-.example/cb",
	"https://аtlas.example/cb",
	"https://127.0.0.1/cb",
	"http://localhost/cb",
	"https://[::1]/cb",
	"*",
	"https://*.example/cb",
	"https://atlas.example/cb,https://evil.example/",
	strings.Repeat("https://atlas.example/cb", 200),
}

// TestForeignRedirectURIIsNeverFollowed: whatever is not registered byte for byte gets a page that names
// redirect_uri, and nobody is sent anywhere, signed in or not, also where the rest of the request is wrong (RFC 9700
// §2.1).
func TestForeignRedirectURIIsNeverFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("atlas", nil)
		signedIn := o.Browser()
		signedIn.MustSignIn("alice", "atlas")
		for _, uri := range mutations {
			q := url.Values{
				"client_id":             {"atlas"},
				"response_type":         {"code"},
				"scope":                 {"openid"},
				"redirect_uri":          {uri},
				"code_challenge":        {providertest.Challenge},
				"code_challenge_method": {"S256"},
			}
			for _, b := range []*providertest.Browser{o.Browser(), signedIn} {
				for _, more := range [][2]string{
					{"prompt", "none"},
					{"response_mode", "form_post"},
					{"response_type", ""},
					{"scope", ""},
				} {
					ask := url.Values{}
					for name, v := range q {
						ask[name] = v
					}
					ask.Set(more[0], more[1])
					b.Do(http.MethodGet, "/authorize?"+ask.Encode(), nil, nil).MustName(t, "redirect_uri")
					b.Do(http.MethodPost, "/authorize", ask, nil).MustName(t, "redirect_uri")
				}
			}
			// Where such a client has only the other as registered, nothing of it is stripped either.
			if a := o.Token("atlas", url.Values{
				"grant_type":    {"authorization_code"},
				"code":          {signedIn.MustPromptNone("atlas").Get("code")},
				"redirect_uri":  {uri},
				"code_verifier": {providertest.Verifier},
			}); a.Error == "" {
				t.Errorf("got tokens for redirect_uri %q", uri)
			}
		}
	})
}

// TestNativeApplicationTakesAnyPort: RFC 8252 §7.3, for the loopback addresses and the name localhost, and nothing
// else of the URI.
func TestNativeApplicationTakesAnyPort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		uris := []string{
			"http://127.0.0.1/cb",
			"http://[::1]:1/cb",
			"http://localhost/cb",
			"com.example.app:/cb",
			"https://app.example/cb",
			"http://127.0.0.1:7000",
		}
		o.MustAddClient("app", func(m *storage.Metadata) { m.ApplicationType, m.RedirectURIs = "native", uris })
		o.MustAddClient("site", func(m *storage.Metadata) { m.RedirectURIs = uris })
		for uri, want := range map[string][2]bool{ // for app, for site
			"http://127.0.0.1/cb":        {true, true},
			"http://127.0.0.1:51000/cb":  {true, false},
			"http://[::1]:51000/cb":      {true, false},
			"http://[::1]/cb":            {true, false},
			"http://127.0.0.1:1":         {true, false},
			"http://127.0.0.1:1/":        {false, false},
			"http://127.0.0.1:0/cb":      {false, false},
			"http://127.0.0.1:65536/cb":  {false, false},
			"http://127.0.0.1:/cb":       {false, false},
			"http://127.0.0.1:1@evil/cb": {false, false},
			"http://127.0.0.1:51000/cb2": {false, false},
			"http://127.0.0.1:51000/cb?": {false, false},
			"https://127.0.0.1:1/cb":     {false, false},
			"http://127.0.0.2:1/cb":      {false, false},
			"http://127.1:1/cb":          {false, false},
			"http://localhost:51000/cb":  {true, false},
			"http://localhost/cb":        {true, true},
			"https://app.example:1/cb":   {false, false},
			"com.example.app:/cb":        {true, true},
		} {
			for i, client := range []string{"app", "site"} {
				p := o.Browser().Get(providertest.AuthorizeURL(client, "redirect_uri", uri, "prompt", "none"))
				if got := strings.HasPrefix(p.Header.Get("Location"), uri+"?error=login_required"); got != want[i] {
					t.Errorf("got %q taken from %s: %v, want %v (status %d)", uri, client, got, want[i], p.Status)
				}
			}
		}
	})
}
