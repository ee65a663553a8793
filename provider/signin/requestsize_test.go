package signin_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/curfew-id/curfew/provider/providertest"
)

// TestRequestTooLargeForInteractionIsRefused: a request that does not fit into an interaction or a code is refused
// with a reason, and never shortened.
func TestRequestTooLargeForInteractionIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("atlas", nil)
		b := o.Browser()
		a := b.Get(providertest.AuthorizeURL("atlas", "state", strings.Repeat("s", 12_000))).ResponseParams(t)
		if a.Get("error") != "invalid_request" || !strings.Contains(a.Get("error_description"), "too large") ||
			len(a.Get("state")) != 12_000 {
			t.Errorf("got %s %s, want invalid_request and the whole state", a.Get("error"), a.Get("error_description"))
		}
		b.MustSignIn("alice", "atlas", "state", strings.Repeat("s", 1000))
		a = b.Do(http.MethodGet, providertest.AuthorizeURL("atlas", "nonce", strings.Repeat("n", 900)), nil, nil).
			ResponseParams(t)
		if a.Get("error") != "invalid_request" || !strings.Contains(a.Get("error_description"), "nonce") {
			t.Errorf("got %v, want invalid_request that names nonce", a)
		}
		if p := b.Get(providertest.AuthorizeURL("atlas", "state", strings.Repeat("s", 70_000))); p.Status != http.StatusRequestEntityTooLarge {
			t.Errorf("got %d for 70 kB, want 413", p.Status)
		}
	})
}

// TestOptionalAndUnknownParametersAreAccepted: Core §3.1.2.1. Unknown parameters are ignored.
func TestOptionalAndUnknownParametersAreAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("atlas", nil)
		for _, more := range [][]string{
			{"display", "popup"},
			{"display", "wap"},
			{"display", "nonsense"},
			{"ui_locales", "de-CH de en"},
			{"ui_locales", "<>"},
			{"claims_locales", "x y z"},
			{"acr_values", "9 8 7"},
			{"login_hint", "alice"},
			{"login_hint", strings.Repeat("x", 300)},
			{"made_up", "1"},
			{"scope", "openid openid made_up"},
			{"max_age", "0"},
			{"max_age", "99999999999"},
			{"prompt", "login consent"},
			{"prompt", "select_account"},
			{"id_token_hint", ""},
			{"registration", ""},
			{"claims", `{"id_token":{"made_up":null}}`},
		} {
			b := o.Browser()
			if got := b.MustSignIn("alice", "atlas", more...).Get("code"); got == "" {
				t.Errorf("%v: got no code", more)
			}
			if more[0] == "max_age" && more[1] != "0" && !b.SignedIn("atlas") {
				t.Errorf("%v: got asked again", more)
			}
		}
		b := o.Browser()
		for _, more := range [][]string{
			{"scope", "profile"},
			{"scope", ""},
			{"prompt", "none login"},
			{"prompt", "create"},
			{"prompt", "Login"},
			{"max_age", "-1"},
			{"max_age", "1.5"},
			{"max_age", "x"},
			{"claims", "{"},
			{"claims", `[]`},
			{"claims", strings.Repeat(" ", 3000) + "{}"},
			{"id_token_hint", "x.y.z"},
			{"response_type", "none"},
			{"response_type", "code code"},
			{"response_type", "id_token"},
			{"response_mode", "web_message"},
			{"response_mode", "query.jwt"},
			{"registration", "{}"},
			{"request", "x"},
			{"request_uri", "https://evil.example/x"},
			{"request_uri", "urn:ietf:params:oauth:request_uri:x"},
		} {
			a := b.Do(http.MethodGet, providertest.AuthorizeURL("atlas", more...), nil, nil).ResponseParams(t)
			if a.Get("error") == "" || a.Get("error") == "server_error" || a.Get("iss") != providertest.Issuer ||
				a.Get("state") != "st" {
				t.Errorf("%v: got %v, want an error with state and iss", more, a)
			}
		}
	})
}
