package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/curfew-id/curfew/provider"
	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
)

// TestSessionCookieOfOtherSitesIsAStatedChoice: with session.cookie_samesite none, silent renewal works in a frame of
// another site. Forms of other sites still do nothing by themselves, although the session cookie comes with them.
func TestSessionCookieOfOtherSitesIsAStatedChoice(t *testing.T) {
	const sessionCookie = "__Host-curfew-session"
	for setting, want := range map[string]string{"": "SameSite=Lax", "lax": "SameSite=Lax", "none": "SameSite=None"} {
		f := providertest.MustStart(t, func(c *provider.Config) { c.Session.CookieSameSite = setting })
		f.MustAddClient("atlas", func(m *storage.Metadata) { m.Consent = "" })
		b := f.Browser()
		page := b.Get(providertest.AuthorizeURL("atlas"))
		page = b.Do(http.MethodPost, page.Path, mustFill(t, page), nil)
		for _, cookie := range page.Header.Values("Set-Cookie") {
			expected := "SameSite=Lax"
			if strings.HasPrefix(cookie, sessionCookie+"=") {
				expected = want
			}
			if !strings.Contains(cookie, expected) || !strings.Contains(cookie, "Secure") {
				t.Errorf("cookie_samesite %q: got %s, want %s", setting, cookie, expected)
			}
		}
		if setting != "none" {
			continue
		}
		hint := f.Redeem("atlas", b.Submit(b.Follow(page), "decision", "allow").ResponseParams(t).Get("code")).IDToken
		third := b.Copy() // what the browser sends for a frame or a form of another site
		third.Cookies = map[string]string{sessionCookie: b.Cookies[sessionCookie]}
		frame := http.Header{"Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"iframe"}}
		renewal := third.Do(http.MethodGet, providertest.AuthorizeURL("atlas", "prompt", "none"), nil, frame)
		if renewal.ResponseParams(t).Get("code") == "" {
			t.Errorf("got %v for silent renewal, want a code", renewal.ResponseParams(t))
		}
		form := http.Header{"Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document"}}
		for path, fields := range map[string]url.Values{
			"/account/sessions":    {"sign-out": {"all"}},
			"/account/password":    {"password": {"another long password"}},
			"/end_session/confirm": {"scope": {"session"}},
		} {
			if p := third.Do(http.MethodPost, path, fields, form); p.Status != http.StatusForbidden {
				t.Errorf("got %d for the form of another site at %s, want 403", p.Status, path)
			}
		}
		// Forms that any site may send are led over a page or a GET of our own, which has all cookies.
		request := url.Values{}
		for name, value := range mustParseQuery(t, providertest.AuthorizeURL("atlas", "prompt", "consent")) {
			request[name] = value
		}
		p := b.Submit(third.Do(http.MethodPost, "/authorize", request, form))
		if got := b.Submit(p, "decision", "allow").ResponseParams(t); got.Get("code") == "" {
			t.Errorf("got %v for a request by POST with consent, want a code", got)
		}
		for _, name := range []string{"asks", "hint"} { // the second one signs out
			logout := map[string]url.Values{
				"asks": {"client_id": {"atlas"}},
				"hint": {"id_token_hint": {hint}},
			}[name]
			mine := b.Copy()
			p := third.Do(http.MethodPost, "/end_session", logout, form)
			if !strings.HasPrefix(p.Header.Get("Location"), "/end_session?request=") || !b.SignedIn("atlas") {
				t.Errorf("%s: got %d, want 303 to a GET of our own and the session active", name, p.Status)
			}
			if p = mine.Follow(p); name == "asks" {
				p = mine.Submit(p, "scope", "stay")
			}
			if p.Status != http.StatusOK {
				t.Errorf("%s: got %d", name, p.Status)
			}
		}
	}
}

func mustFill(t *testing.T, page providertest.Page) url.Values {
	t.Helper()
	_, fields := page.Form(t)
	fields.Set("username", "alice")
	fields.Set("password", providertest.Password)
	return fields
}

func mustParseQuery(t *testing.T, target string) url.Values {
	t.Helper()
	_, query, _ := strings.Cut(target, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	return values
}
