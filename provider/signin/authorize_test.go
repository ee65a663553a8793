package signin_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
)

// TestUnknownClientGetsAPage: the provider redirects to no client that is unknown or was removed.
func TestUnknownClientGetsAPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("atlas", nil)
		for _, id := range []string{
			"",
			"nobody",
			"ATLAS",
			"atlas ",
			"atlas\x00",
			"../atlas",
			strings.Repeat("a", 5000),
		} {
			o.Browser().
				Get(providertest.AuthorizeURL("atlas", "client_id", " ")+"&client_id="+url.QueryEscape(id)).
				MustName(t, "client_id")
				// twice
			o.Browser().
				Get(strings.ReplaceAll(providertest.AuthorizeURL("atlas"), "client_id=atlas", "client_id="+url.QueryEscape(id))).
				MustName(t, "client_id")
		}
		o.MustAdmin(http.MethodPost, "/clients/atlas/disable", "")
		o.Browser().Get(providertest.AuthorizeURL("atlas")).MustName(t, "client_id")
	})
}

// TestRepeatedParametersAreRefused: RFC 6749 §3.1. Who asks and where the answer goes must be beyond doubt before the
// client hears of it.
func TestRepeatedParametersAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("atlas", nil)
		b := o.Browser()
		for _, name := range []string{
			"client_id",
			"redirect_uri",
			"response_type",
			"scope",
			"state",
			"nonce",
			"code_challenge",
			"code_challenge_method",
			"prompt",
			"max_age",
			"response_mode",
			"claims",
			"login_hint",
			"id_token_hint",
			"request",
			"request_uri",
			"display",
			"made_up",
		} {
			target := providertest.AuthorizeURL("atlas", "response_mode", "query", "prompt", "none")
			for _, twice := range []string{
				target + "&" + name + "=x&" + name + "=x",
				target + "&" + name + "=x&" + name + "=",
			} {
				p := b.Do(http.MethodGet, twice, nil, nil)
				if name == "client_id" || name == "redirect_uri" {
					p.MustName(t, name)
					continue
				}
				a := p.ResponseParams(t)
				if a.Get("error") != "invalid_request" || !strings.Contains(a.Get("error_description"), name) ||
					a.Get("iss") != providertest.Issuer {
					t.Errorf("%s: got %v, want invalid_request that names it", name, a)
				}
			}
		}
		// Once in the query and once in the body is twice.
		p := b.Do(http.MethodPost, providertest.AuthorizeURL("atlas"), url.Values{"scope": {"openid"}}, nil)
		if got := p.ResponseParams(t).Get("error"); got != "invalid_request" {
			t.Errorf("got %q for a parameter in query and body, want invalid_request", got)
		}
	})
}

// TestEveryResponseNamesTheIssuer: RFC 9207, in every mode, of successes and errors; and the state comes back as it
// was.
func TestEveryResponseNamesTheIssuer(t *testing.T) {
	state := strings.Repeat("0123456789abcdef", 8-1) + "!$'()*,-./:?@_~;"
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("atlas", func(m *storage.Metadata) {
			m.ResponseTypes = []string{"code", "code id_token", "id_token"}
			m.RedirectURIs = []string{"https://atlas.example/cb", "https://atlas.example/cb?keep=a%20b"}
		})
		b := o.Browser()
		b.MustSignIn("alice", "atlas")
		n := 0
		for _, who := range []*providertest.Browser{b, o.Browser()} {
			for _, mode := range []string{"", "query", "fragment", "form_post"} {
				for _, kind := range []string{"code", "code id_token", "id_token", "token"} {
					for _, uri := range []string{"https://atlas.example/cb", "https://atlas.example/cb?keep=a%20b"} {
						p := who.Do(
							http.MethodGet,
							providertest.AuthorizeURL(
								"atlas",
								"response_mode",
								mode,
								"response_type",
								kind,
								"redirect_uri",
								uri,
								"prompt",
								"none",
								"state",
								state,
							),
							nil,
							nil,
						)
						var a url.Values
						if mode == "form_post" {
							var action string
							if action, a = p.Form(t); action != uri || p.Header.Get("Location") != "" {
								t.Errorf("got a form to %q, want it to %q", action, uri)
							}
						} else {
							if !strings.HasPrefix(p.Header.Get("Location"), uri) {
								t.Fatalf("got %d to %q, want %s", p.Status, p.Header.Get("Location"), uri)
							}
							a = p.ResponseParams(t)
						}
						if a.Get("iss") != providertest.Issuer || a.Get("state") != state {
							t.Errorf("%s %s: got iss %q and state %q", kind, mode, a.Get("iss"), a.Get("state"))
						}
						if ok := a.Get("error") == ""; ok {
							n++
						} else if a.Get("error_description") == "" || a.Get("code") != "" || a.Get("id_token") != "" {
							t.Errorf("%s %s: got %v", kind, mode, a)
						}
						if strings.Contains(p.Header.Get("Location"), "?") && a.Get("id_token") != "" &&
							!strings.Contains(p.Header.Get("Location"), "#") {
							t.Errorf("%s %s: got a token in a query", kind, mode)
						}
					}
				}
			}
		}
		if n != 2*(4+3+3) { // of one browser: code in all modes, the others in all but query
			t.Errorf("got %d successes, want 20", n)
		}
	})
}

// TestPairwiseSubjectsDifferBetweenClients: two clients with pairwise subjects see two users, and their hints work for them.
func TestPairwiseSubjectsDifferBetweenClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		subs := map[string]bool{}
		for _, id := range []string{"atlas", "ledger"} {
			o.MustAddClient(id, func(m *storage.Metadata) { m.SubjectType = "pairwise" })
			stored, err := o.Store.Client(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			c := *stored
			c.SectorHost = id + ".example"
			if err := o.Store.PutClient(t.Context(), c); err != nil {
				t.Fatal(err)
			}
		}
		b := o.Browser()
		for _, id := range []string{"atlas", "ledger"} {
			hint := b.MustJoin("alice", id).IDToken
			sub := fmt.Sprint(providertest.MustReadClaims(t, hint)["sub"])
			if subs[sub] || strings.Contains(sub, "alice") {
				t.Errorf("got sub %q for %s", sub, id)
			}
			subs[sub] = true
			if a := b.Do(http.MethodGet, providertest.AuthorizeURL(id, "prompt", "none", "id_token_hint", hint), nil, nil).ResponseParams(t); a.Get(
				"code",
			) == "" {
				t.Errorf("got %v for one's own hint, want a code", a)
			}
		}
	})
}

// TestScopeThatAnOperatorRegisteredIsGranted: by its name, as for client_credentials. A scope that was not is ignored
// (Core §3.1.2.1), and the token response says what was granted.
func TestScopeThatAnOperatorRegisteredIsGranted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("api", func(m *storage.Metadata) { m.Scope = "openid offline_access orders:read" })
		o.MustAddClient("plain", nil)
		for client, want := range map[string]string{"api": "openid orders:read", "plain": "openid email"} {
			b := o.Browser()
			code := b.MustSignIn("alice", client, "scope", "openid email orders:read orders:write offline_access").
				Get("code")
			form := url.Values{
				"grant_type":    {"authorization_code"},
				"code":          {code},
				"redirect_uri":  {"https://" + client + ".example/cb"},
				"code_verifier": {providertest.Verifier},
			}
			if p := o.Call(client, "/token", form); !strings.Contains(p.Body, `"scope":"`+want+`"`) {
				t.Errorf("%s: got %s, want scope %q", client, p.Body, want)
			}
		}
	})
}

// TestResourceAtTheAuthorizationEndpointIsHonouredOrRefused: RFC 8707 §2.
func TestResourceAtTheAuthorizationEndpointIsHonouredOrRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient(
			"api",
			func(m *storage.Metadata) { m.Audience = []string{"https://a.example", "https://b.example"} },
		)
		b := o.Browser()
		b.MustSignIn("alice", "api")
		for resources, want := range map[string]string{
			"&resource=https://b.example&resource=https://a.example": "",
			"&resource=https://a.example":                            "invalid_target",
			"&resource=":                                             "invalid_target",
		} {
			a := b.Do(http.MethodGet, providertest.AuthorizeURL("api", "prompt", "none")+resources, nil, nil).
				ResponseParams(t)
			if a.Get("error") != want {
				t.Errorf("%s: got %v, want %q", resources, a, want)
			}
		}
	})
}

// TestSemicolonInAQueryIsData: url.ParseQuery refuses it; a state may hold it (RFC 3986 §3.4).
func TestSemicolonInAQueryIsData(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("atlas", nil)
		b := o.Browser()
		b.MustSignIn("alice", "atlas")
		target := strings.ReplaceAll(providertest.AuthorizeURL("atlas", "prompt", "none", "state", "XYZ"), "XYZ", "a;b")
		if a := b.Do(http.MethodGet, target, nil, nil).ResponseParams(t); a.Get("state") != "a;b" || !a.Has("code") {
			t.Errorf("got %v", a)
		}
	})
}
