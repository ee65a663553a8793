package signout_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/curfew-id/curfew/provider/providertest"
)

// FuzzLogoutParameters: whatever a logout request says, it ends no session without the hint of that session or a
// click, and leads the browser to no address that is not registered.
func FuzzLogoutParameters(f *testing.F) {
	fixture := providertest.MustStart(f, nil)
	fixture.MustAddClient("atlas", nil)
	browser := fixture.Browser()
	hint := browser.MustJoin("alice", "atlas").IDToken
	for _, seed := range []string{
		"id_token_hint=" + hint[:len(hint)-4],
		"id_token_hint=e30.e30.",
		"client_id=atlas&post_logout_redirect_uri=https%3A%2F%2Fatlas.example%2Fbye&state=x",
		"post_logout_redirect_uri=https%3A%2F%2Fevil.example",
		"client_id=atlas&client_id=atlas",
		"logout_hint=%00&ui_locales=de-%FF",
		"state=" + strings.Repeat("s", 5000),
		"%",
		"a;b",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		if strings.Contains(query, hint) {
			return
		}
		own := fixture.With(t)
		b := browser.Copy()
		b.Fixture = own
		values, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		p := b.Do(http.MethodGet, "/end_session?"+values.Encode(), nil, nil)
		if location := p.Header.Get("Location"); p.Status >= http.StatusInternalServerError ||
			location != "" && !strings.HasPrefix(location, "/") &&
				!strings.HasPrefix(location, providertest.Issuer+"/") {
			t.Fatalf("got %d and %q for %q", p.Status, location, query)
		}
		if !b.SignedIn("atlas") {
			t.Errorf("%q ended the session", query)
		}
	})
}
