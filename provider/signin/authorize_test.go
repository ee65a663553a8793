package signin_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

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

// TestConfidentialClientNeedsPKCEOrNonce: RFC 9700 §2.1.1. The nonce counts only where the ID token of the code
// carries it.
func TestConfidentialClientNeedsPKCEOrNonce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		yes, no := true, false
		hybrid := []string{"code", "code id_token"}
		o.MustAddClient("unset", func(m *storage.Metadata) {
			m.ResponseTypes, m.GrantTypes = hybrid, []string{"authorization_code", "implicit"}
		})
		o.MustAddClient("strict", func(m *storage.Metadata) { m.RequirePKCE = &yes })
		o.MustAddClient("lax", func(m *storage.Metadata) { m.RequirePKCE = &no })
		o.MustAddClient("public", func(m *storage.Metadata) { m.TokenEndpointAuthMethod = "none" })
		b := o.Browser()
		for _, c := range []struct {
			client  string
			params  []string
			ok      bool
			setting string // what the error names
		}{
			{"unset", []string{"nonce", "n"}, true, ""},
			{"unset", []string{"nonce", ""}, false, "or a nonce"},
			{"unset", []string{"nonce", "n", "response_type", "code id_token"}, false, "require_pkce"},
			{"strict", []string{"nonce", "n"}, false, "require_pkce: true"},
			{"lax", []string{"nonce", ""}, true, ""},
			{"public", []string{"nonce", "n"}, false, "code_challenge"},
		} {
			b.MustSignIn("alice", c.client)
			params := append([]string{"code_challenge", "", "code_challenge_method", "", "prompt", "none"}, c.params...)
			a := b.Do(http.MethodGet, providertest.AuthorizeURL(c.client, params...), nil, nil).ResponseParams(t)
			if a.Has("code") != c.ok || !strings.Contains(a.Get("error_description"), c.setting) {
				t.Errorf("%s %v: got %v, want success %v", c.client, c.params, a, c.ok)
			}
		}
	})
}

// TestPKCEIsNotNegotiable: RFC 7636, RFC 9700 §2.1.1; only a confidential client may opt out.
func TestPKCEIsNotNegotiable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		yes, no := true, false
		o.MustAddClient("strict", func(m *storage.Metadata) { m.RequirePKCE = &yes })
		o.MustAddClient("lax", func(m *storage.Metadata) { m.RequirePKCE = &no })
		public := `{"client_id":"public","redirect_uris":["https://public.example/cb"],"token_endpoint_auth_method":"none","require_pkce":false}`
		if p := o.Admin(http.MethodPost, "/clients", public); p.Status != http.StatusBadRequest ||
			!strings.Contains(p.Body, "require_pkce") {
			t.Errorf("got %d %s for a public client without PKCE", p.Status, p.Body)
		}
		o.MustAddClient("public", func(m *storage.Metadata) { m.TokenEndpointAuthMethod = "none" })
		b := o.Browser()
		for _, id := range []string{"strict", "lax", "public"} {
			b.MustSignIn("alice", id)
			for name, c := range map[string]struct {
				challenge, method string
				ok                bool
			}{
				"S256":                 {providertest.Challenge, "S256", true},
				"plain":                {providertest.Challenge, "plain", false},
				"no method":            {providertest.Challenge, "", false}, // means plain (§4.3)
				"another method":       {providertest.Challenge, "s256", false},
				"no challenge":         {"", "S256", false},
				"a short one":          {providertest.Challenge[:42], "S256", false},
				"a long one":           {providertest.Challenge + "A", "S256", false},
				"padding":              {providertest.Challenge[:42] + "=", "S256", false},
				"another alphabet":     {strings.Replace(providertest.Challenge, "-", "+", 1), "S256", false},
				"nothing of it at all": {"", "", id == "lax"},
			} {
				a := b.Do(http.MethodGet, providertest.AuthorizeURL(id, "code_challenge", c.challenge, "code_challenge_method", c.method, "prompt", "none"), nil, nil).
					ResponseParams(t)
				if got := a.Get("code") != ""; got != c.ok || !c.ok && a.Get("error") != "invalid_request" {
					t.Errorf("%s, %s: got %v", id, name, a)
				}
			}
		}
		// A client that began without a challenge cannot add a verifier; one that began with a challenge cannot leave
		// the verifier out.
		without := b.Do(http.MethodGet, providertest.AuthorizeURL("lax", "code_challenge", "", "code_challenge_method", "", "prompt", "none"), nil, nil).
			ResponseParams(t).
			Get("code")
		if a := o.Redeem("lax", without); a.Error != "invalid_grant" {
			t.Errorf("got %+v for a verifier without a challenge", a)
		}
		form := url.Values{
			"grant_type":   {"authorization_code"},
			"code":         {b.MustPromptNone("lax").Get("code")},
			"redirect_uri": {"https://lax.example/cb"},
		}
		if a := o.Token("lax", form); a.Error != "invalid_grant" {
			t.Errorf("got %+v for a challenge without a verifier", a)
		}
	})
}

// TestFinishLooksAtEverythingAgain: what was good when a page was shown may not be when it is sent.
func TestFinishLooksAtEverythingAgain(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*providertest.Fixture)
		leads  string // to an error page that names this; empty: back to the sign-in page
	}{
		"the redirect URI is no longer registered": {func(o *providertest.Fixture) {
			o.MustAdmin(http.MethodPatch, "/clients/atlas", `{"redirect_uris":["https://atlas.example/other"]}`)
		}, "redirect_uri"},
		"the application was disabled": {
			func(o *providertest.Fixture) { o.MustAdmin(http.MethodPost, "/clients/atlas/disable", "") },
			"client_id",
		},
		"the application was removed": {
			func(o *providertest.Fixture) { o.MustAdmin(http.MethodDelete, "/clients/atlas", "") },
			"client_id",
		},
		"the session has ended": {
			func(o *providertest.Fixture) { o.MustAdmin(http.MethodPost, "/logouts", `{"all_users":true}`) },
			"",
		},
		"the user was disabled": {
			func(o *providertest.Fixture) { o.MustAdmin(http.MethodPost, "/users/alice/disable", "") },
			"",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := providertest.MustStart(t, nil)
				o.MustAddClient("atlas", func(m *storage.Metadata) { m.Consent = "ask" })
				b := o.Browser()
				signIn := b.Get(providertest.AuthorizeURL("atlas"))
				consent := b.Submit(signIn, "username", "alice", "password", providertest.Password)
				if !strings.Contains(consent.Body, `id="allow"`) {
					t.Fatalf("got %d, want the consent page", consent.Status)
				}
				time.Sleep(time.Second)
				c.change(o)
				for _, p := range []providertest.Page{
					b.Submit(consent, "decision", "allow"),
					b.Copy().Submit(signIn, "username", "alice", "password", "wrong"),
				} {
					if c.leads != "" {
						p.MustName(t, c.leads)
					} else if !strings.Contains(p.Body, `id="password"`) {
						t.Errorf("got %d to %q, want the sign-in page", p.Status, p.Header.Get("Location"))
					}
				}
			})
		})
	}
}

// TestOpenPageAsksNoMoreThanIsStillRegistered: what a client may ask for is looked at when the page is sent, not only
// when it was opened.
func TestOpenPageAsksNoMoreThanIsStillRegistered(t *testing.T) {
	no := false
	for name, c := range map[string]struct {
		register func(*storage.Metadata)
		request  []string
		change   string
	}{
		"the response type was taken away": {
			func(m *storage.Metadata) {
				m.ResponseTypes, m.GrantTypes = []string{
					"code",
					"id_token token",
				}, []string{"authorization_code", "implicit"}
			},
			[]string{"response_type", "id_token token", "code_challenge", "", "code_challenge_method", ""},
			`{"response_types":["code"],"grant_types":["authorization_code"]}`,
		},
		"PKCE is demanded now": {
			func(m *storage.Metadata) { m.RequirePKCE = &no },
			[]string{"code_challenge", "", "code_challenge_method", ""},
			`{"require_pkce":true}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := providertest.MustStart(t, nil)
				o.MustAddClient("atlas", c.register)
				b := o.Browser()
				page := b.Get(providertest.AuthorizeURL("atlas", c.request...))
				time.Sleep(time.Second)
				o.MustAdmin(http.MethodPatch, "/clients/atlas", c.change)
				p := b.Submit(page, "username", "alice", "password", providertest.Password)
				if location := p.Header.Get("Location"); p.Status != http.StatusBadRequest ||
					strings.Contains(location, "code=") ||
					strings.Contains(location, "access_token=") {
					t.Errorf("got %d to %q, want an error page", p.Status, location)
				}
			})
		})
	}
}

// TestRequestTooLargeForInteractionIsRefused: what is larger than a handle or a code may be is refused with words,
// never cut.
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

// TestRequestsSurviveWhatTheyMayHold: everything optional is handled as Core §3.1.2.1 says, and unknown parameters
// are ignored.
func TestRequestsSurviveWhatTheyMayHold(t *testing.T) {
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

// TestPairwiseNamesDoNotBetray: two clients with pairwise subjects see two users, and their hints work for them.
func TestPairwiseNamesDoNotBetray(t *testing.T) {
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
