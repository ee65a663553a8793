package signin_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
)

// FuzzRedirectURI: whatever redirect_uri a request names, the browser is sent nowhere but to a registered one or to
// the provider's own pages.
func FuzzRedirectURI(f *testing.F) {
	fixture := providertest.MustStart(f, nil)
	registered := []string{
		"https://atlas.example/cb",
		"https://atlas.example/cb?tenant=1",
		"http://127.0.0.1/cb",
		"com.example.app:/cb",
	}
	fixture.MustAddClient("atlas", func(m *storage.Metadata) {
		m.RedirectURIs, m.ApplicationType, m.TokenEndpointAuthMethod = registered, "native", "none"
	})
	for _, seed := range registered {
		f.Add(seed)
		f.Add(seed + "/../evil")
		f.Add(strings.Replace(seed, "://", "://evil.example@", 1))
	}
	for _, seed := range []string{
		"https://atlas.example.evil.example/cb",
		"https://ATLAS.example/cb",
		"https://atlas.example:443/cb",
		"https://atlas.example/cb#f",
		"https://atlas.example/%63b",
		"http://127.0.0.1:4711/cb",
		"http://127.0.0.1:99999/cb",
		"http://127.0.0.1:@evil.example/cb",
		"http://[::1]/cb",
		"//evil.example",
		`\\evil.example`,
		"javascript:alert(1)",
		"",
		"\x00",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, redirectURI string) {
		browser := fixture.With(t).Browser()
		p := browser.Do(
			http.MethodGet,
			providertest.AuthorizeURL("atlas", "redirect_uri", redirectURI, "prompt", "none"),
			nil,
			nil,
		)
		if p.Status >= http.StatusInternalServerError {
			t.Fatalf("got %d for %q", p.Status, redirectURI)
		}
		location := p.Header.Get("Location")
		if location == "" || strings.HasPrefix(location, "/") && !strings.HasPrefix(location, "//") {
			return
		}
		u, err := url.Parse(location)
		if err != nil {
			t.Fatalf("got Location %q for %q", location, redirectURI)
		}
		for _, uri := range registered {
			want, err := url.Parse(uri)
			if err != nil {
				t.Fatal(err)
			}
			// RFC 8252 §7.3: of a loopback address the port may differ.
			sameHost := u.Host == want.Host || want.Hostname() == "127.0.0.1" && u.Hostname() == "127.0.0.1"
			if u.Scheme == want.Scheme && sameHost && u.Path == want.Path && u.Opaque == want.Opaque && u.User == nil {
				return
			}
		}
		t.Errorf("got a redirect to %q for %q", location, redirectURI)
	})
}

// FuzzRequestObject: no request object, signed or not, is taken from a client that registered none of its keys, and
// none breaks the handler.
func FuzzRequestObject(f *testing.F) {
	fixture := providertest.MustStart(f, nil)
	fixture.MustAddClient("atlas", nil)
	f.Add("eyJhbGciOiJub25lIn0.eyJjbGllbnRfaWQiOiJhdGxhcyJ9.")
	f.Add("eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJhdGxhcyIsInJlZGlyZWN0X3VyaSI6Imh0dHBzOi8vZXZpbC5leGFtcGxlLyJ9.c2ln")
	f.Add("eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkExMjhHQ00ifQ.a.b.c.d")
	f.Add("..")
	f.Add("null")
	f.Fuzz(func(t *testing.T, object string) {
		p := fixture.With(t).
			Browser().
			Do(http.MethodGet, providertest.AuthorizeURL("atlas", "request", object, "prompt", "none"), nil, nil)
		location := p.Header.Get("Location")
		if p.Status >= http.StatusInternalServerError || strings.Contains(location, "code=") ||
			strings.Contains(location, "evil") {
			t.Errorf("got %d and %q for %q", p.Status, location, object)
		}
	})
}

// FuzzAuthorizeCookies: no cookie that the provider did not make signs a user in.
func FuzzAuthorizeCookies(f *testing.F) {
	fixture := providertest.MustStart(f, nil)
	fixture.MustAddClient("atlas", nil)
	browser := fixture.Browser()
	browser.MustJoin("alice", "atlas")
	secret := browser.Cookies["__Host-curfew-session"]
	f.Add("__Host-curfew-session", secret[:len(secret)-1])
	f.Add("__Host-curfew-session", secret+"=")
	f.Add("__Host-curfew-session", "")
	f.Add("curfew-session", secret)
	f.Add("__Host-curfew-flow", "AAAA")
	f.Add(" ", "\";\x00\xff")
	f.Fuzz(func(t *testing.T, name, value string) {
		if name == "__Host-curfew-session" && value == secret {
			return
		}
		header := http.Header{"Cookie": {name + "=" + value}}
		if strings.Contains(value, secret) || strings.Contains(name, secret) {
			return // several cookies in one: the right one may be among them
		}
		p := fixture.With(t).
			Browser().
			Do(http.MethodGet, providertest.AuthorizeURL("atlas", "prompt", "none"), nil, header)
		if p.Status >= http.StatusInternalServerError || strings.Contains(p.Header.Get("Location"), "code=") {
			t.Errorf("got %d and %q for the cookie %q=%q", p.Status, p.Header.Get("Location"), name, value)
		}
	})
}
