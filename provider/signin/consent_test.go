package signin_test

import (
	"encoding/json"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-id/curfew/provider"
	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
)

// asksConsent reports whether a request leads to the consent page, and what that says.
func asksConsent(b *providertest.Browser, client string, more ...string) (providertest.Page, bool) {
	b.Fixture.T.Helper()
	p := b.Get(providertest.AuthorizeURL(client, more...))
	return p, strings.Contains(p.Body, `id="allow"`) && strings.Contains(p.Body, `id="deny"`)
}

// TestConsentIsRememberedForWhatWasAllowed: per user and client; whatever goes beyond is asked for, by scope or by
// name.
func TestConsentIsRememberedForWhatWasAllowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		for _, id := range []string{"atlas", "ledger"} {
			o.MustAddClient(id, func(m *storage.Metadata) { m.Consent = "" })
		}
		b := o.Browser()
		b.MustSignIn("alice", "atlas", "scope", "openid profile")
		steps := []struct {
			client string
			more   []string
			asked  bool
		}{
			{"atlas", []string{"scope", "openid profile"}, false},
			{"atlas", []string{"scope", "openid"}, false},
			{"atlas", []string{"scope", "openid email"}, true},
			{"atlas", []string{"scope", "openid email"}, false},
			{"atlas", []string{"scope", "openid email profile"}, false}, // what was allowed before stays allowed
			{"atlas", []string{"claims", `{"userinfo":{"email":null,"name":null}}`}, false},
			{"atlas", []string{"claims", `{"userinfo":{"phone_number":null}}`}, true},
			{"atlas", []string{"claims", `{"userinfo":{"phone_number":null}}`}, false},
			{"atlas", []string{"claims", `{"id_token":{"phone_number":null,"address":null}}`}, true},
			{
				"atlas",
				[]string{"claims", `{"id_token":{"auth_time":{"essential":true},"acr":null,"sub":null}}`},
				false,
			}, // nothing about the user
			{"atlas", []string{"prompt", "consent"}, true},
			{"ledger", nil, true}, // another client
		}
		for i, s := range steps {
			p, asked := asksConsent(b, s.client, s.more...)
			if asked != s.asked {
				t.Errorf("step %d %v: got asked %v, want %v", i, s.more, asked, s.asked)
			}
			silent := b.Do(http.MethodGet, providertest.AuthorizeURL(s.client, append(s.more, "prompt", "none")...), nil, nil).
				ResponseParams(t)
			if s.asked && s.more != nil && s.more[0] != "prompt" && silent.Get("error") != "consent_required" {
				t.Errorf("step %d: got %v for prompt=none, want consent_required", i, silent)
			}
			if asked {
				if got := b.Submit(p, "decision", "allow").ResponseParams(t).Get("code"); got == "" {
					t.Errorf("step %d: got no code after allowing", i)
				}
			}
		}
		o.MustAddUser("bob")
		c := o.Browser()
		p := c.Get(providertest.AuthorizeURL("atlas"))
		if p = c.Submit(p, "username", "bob", "password", providertest.Password); !strings.Contains(
			p.Body,
			`id="allow"`,
		) {
			t.Error("got bob not asked although only alice has allowed it")
		}
	})
}

// TestDeniedConsentGivesNothing: and is not remembered.
func TestDeniedConsentGivesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("atlas", func(m *storage.Metadata) { m.Consent = "" })
		b := o.Browser()
		p := b.Submit(b.Get(providertest.AuthorizeURL("atlas")), "username", "alice", "password", providertest.Password)
		for _, decision := range []string{"deny", "", "ALLOW"} {
			a := b.Submit(p, "decision", decision).ResponseParams(t)
			if a.Get("error") != "access_denied" || a.Get("code") != "" || a.Get("state") != "st" {
				t.Errorf("decision %q: got %v, want access_denied", decision, a)
			}
		}
		if _, asked := asksConsent(b, "atlas"); !asked {
			t.Error("got not asked again after denying")
		}
	})
}

// TestConsentSaysWhoAndWhat: whose account, for whom, where it leads, in words (ASVS 10.7.2).
func TestConsentSaysWhoAndWhat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("atlas", func(m *storage.Metadata) {
			m.Consent, m.ClientName, m.PolicyURI, m.LogoURI = "", "<b>Atlas</b>", "https://atlas.example/policy", "https://cdn.example/atlas.png"
		})
		b := o.Browser()
		p := b.Get(
			providertest.AuthorizeURL(
				"atlas",
				"scope",
				"openid email offline_access",
				"prompt",
				"consent",
				"claims",
				`{"userinfo":{"phone_number":null}}`,
			),
		)
		p = b.Submit(p, "username", "alice", "password", providertest.Password)
		text := html.UnescapeString(p.Body)
		for _, want := range []string{
			"alice@example.org",
			"<b>Atlas</b>",
			"atlas.example",
			"Your email address",
			"Your phone number",
			"https://atlas.example/policy",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("got a consent page without %q:\n%s", want, p.Body)
			}
		}
		if strings.Contains(p.Body, "<b>Atlas") || strings.Contains(p.Body, "cdn.example") ||
			strings.Contains(p.Header.Get("Content-Security-Policy"), "cdn.example") {
			t.Error("got the application's markup, or a logo although logos are off")
		}
		if strings.Contains(p.Header.Get("Content-Security-Policy"), "form-action") {
			t.Error(
				"got form-action on a page whose answer leads to the application: Chromium applies it to the application's own redirects",
			)
		}
	})
}

// TestConsentSaysThatAnApplicationRegisteredItself: any stranger may register a client, under any name (ASVS 10.4.7).
func TestConsentSaysThatAnApplicationRegisteredItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, func(c *provider.Config) { c.Registration.Mode = policy.RegistrationOpen })
		o.MustAddClient("atlas", func(m *storage.Metadata) { m.Consent = "" })
		r := httptest.NewRequest(
			http.MethodPost,
			"/register",
			strings.NewReader(`{"client_name":"Your bank","redirect_uris":["https://evil.example/cb"]}`),
		)
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		o.Provider.ServeHTTP(w, r)
		var made struct {
			ID string `json:"client_id"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &made); err != nil || w.Code != http.StatusCreated {
			t.Fatalf("got %d %s, %v", w.Code, w.Body, err)
		}
		for client, want := range map[string]bool{"atlas": false, made.ID: true} {
			b := o.Browser()
			p := b.Get(
				providertest.AuthorizeURL(
					client,
					"redirect_uri",
					map[bool]string{false: "https://atlas.example/cb", true: "https://evil.example/cb"}[want],
				),
			)
			p = b.Submit(p, "username", "alice", "password", providertest.Password)
			if got := strings.Contains(p.Body, "added itself"); got != want || !strings.Contains(p.Body, `id="allow"`) {
				t.Errorf("%s: got the warning %v, want %v", client, got, want)
			}
		}
	})
}

// TestUserCannotConsentForAnother: a consent page that named alice is worth nothing once bob is signed in there.
func TestUserCannotConsentForAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("atlas", func(m *storage.Metadata) { m.Consent = "" })
		o.MustAddUser("bob")
		b := o.Browser()
		alices := b.Submit(
			b.Get(providertest.AuthorizeURL("atlas")),
			"username",
			"alice",
			"password",
			providertest.Password,
		)
		time.Sleep(time.Second)
		other := b.Get(alices.Link("other-account"))
		bobs := b.Submit(other, "username", "bob", "password", providertest.Password)
		if !strings.Contains(bobs.Body, "bob@example.org") {
			t.Fatalf("got %d, want bob's consent page", bobs.Status)
		}
		p := b.Submit(alices, "decision", "allow")
		if !strings.Contains(p.Body, `id="allow"`) || !strings.Contains(p.Body, "bob@example.org") {
			t.Errorf("got %d to %q, want bob asked for himself", p.Status, p.Header.Get("Location"))
		}
		if _, err := o.Store.Consent(t.Context(), "sub-bob", "atlas"); err == nil {
			t.Error("got a consent of bob's, who gave none")
		}
		// Nor can another browser send it, or one and the same page under another purpose.
		action, fields := p.Form(t)
		fields.Set("decision", "allow")
		thief := o.Browser()
		thief.MustSignIn("bob", "atlas")
		if p := thief.Post(action, fields); p.Status != http.StatusBadRequest {
			t.Errorf("got %d for another browser's handle, want 400", p.Status)
		}
		if p := b.Post(strings.Replace(action, "/consent/", "/login/", 1), url.Values{
			"username": {"bob"},
			"password": {providertest.Password},
		}); p.Status != http.StatusBadRequest {
			t.Errorf("got %d for a handle of another purpose, want 400", p.Status)
		}
		if p := b.Do(http.MethodPost, action, fields, http.Header{"Sec-Fetch-Site": {"cross-site"}}); p.Status != http.StatusForbidden {
			t.Errorf("got %d for a form from another site, want 403", p.Status)
		}
		time.Sleep(61 * time.Minute)
		if p := b.Post(action, fields); p.Status != http.StatusBadRequest {
			t.Errorf("got %d for a page that was open for an hour, want 400", p.Status)
		}
	})
}

// TestPublicNativeAppIsAllowedEachTime: any program on the device can ask in its name and take its loopback port or
// its scheme (RFC 6749 §10.2, RFC 8252 §8.6). One that can prove itself, or has an https address that only it gets,
// is remembered.
func TestPublicNativeAppIsAllowedEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		uris := []string{"http://127.0.0.1/cb", "com.example.app:/cb", "https://app.example/cb"}
		for id, method := range map[string]string{"app": "none", "confidential": "client_secret_basic"} {
			o.MustAddClient(id, func(m *storage.Metadata) {
				m.ApplicationType, m.TokenEndpointAuthMethod, m.RedirectURIs, m.Consent = "native", method, uris, ""
			})
		}
		o.MustAddClient("assured", func(m *storage.Metadata) {
			m.ApplicationType, m.TokenEndpointAuthMethod, m.RedirectURIs = "native", "none", uris
		})
		b := o.Browser()
		for _, s := range []struct {
			client, uri string
			again       bool
		}{
			{"app", "http://127.0.0.1:4711/cb", true},
			{"app", "com.example.app:/cb", true},
			{"app", "https://app.example/cb", false},
			{"confidential", "http://127.0.0.1:4711/cb", false},
			{"confidential", "com.example.app:/cb", false},
			{"assured", "com.example.app:/cb", false}, // an operator said consent: skip
		} {
			b.MustSignIn("alice", s.client, "redirect_uri", s.uri)
			p, asked := asksConsent(b, s.client, "redirect_uri", s.uri)
			if asked != s.again {
				t.Errorf("%s at %s: got asked again %v, want %v", s.client, s.uri, asked, s.again)
			}
			silent := b.Do(http.MethodGet, providertest.AuthorizeURL(s.client, "redirect_uri", s.uri, "prompt", "none"), nil, nil).
				ResponseParams(t)
			if got := silent.Get("error") == "consent_required"; got != s.again || got == (silent.Get("code") != "") {
				t.Errorf("%s at %s: got %v for prompt=none", s.client, s.uri, silent)
			}
			if asked &&
				(strings.Contains(p.Body, "remembered") || b.Submit(p, "decision", "allow").ResponseParams(t).Get("code") == "") {
				t.Errorf(
					"%s at %s: got no code after allowing, or a page that says the answer is remembered",
					s.client,
					s.uri,
				)
			}
		}
	})
}

// TestConsentIsNotHandedOn: alice allows, but has to sign in again meanwhile. Another user who signs in then is asked
// for their own consent.
func TestConsentIsNotHandedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("atlas", func(m *storage.Metadata) { m.Consent = "" })
		o.MustAddUser("bob")
		b := o.Browser()
		b.MustJoin("alice", "atlas")
		time.Sleep(time.Second)
		alices, _ := asksConsent(b, "atlas", "prompt", "consent")
		b.Submit(b.Get(providertest.EndSessionURL("client_id", "atlas")), "scope", "client") // in another tab
		again := b.Submit(alices, "decision", "allow")
		if !strings.HasPrefix(again.Path, "/login/") {
			t.Fatalf("got %s, want the page that asks whether to sign in again", again.Path)
		}
		b.Submit(b.Get("/end_session"), "scope", "session")
		p := b.Submit(b.Submit(again), "username", "bob", "password", providertest.Password)
		if !strings.Contains(p.Body, `id="allow"`) || !strings.Contains(p.Body, "bob@example.org") {
			t.Errorf("got %d to %q, want bob asked for himself", p.Status, p.Header.Get("Location"))
		}
	})
}

// TestOfflineAccessIsAlwaysAskedFor: never silently, never without prompt=consent, never without a code (Core §11).
func TestOfflineAccessIsAlwaysAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("atlas", nil) // consent is skipped otherwise
		o.MustAddClient("bound", func(m *storage.Metadata) { m.RefreshTokens = "session" })
		b := o.Browser()
		without := b.MustJoin("alice", "atlas", "scope", "openid offline_access")
		p, asked := asksConsent(b, "atlas", "scope", "openid offline_access", "prompt", "consent")
		if !asked || !strings.Contains(p.Body, "Background access") {
			t.Fatalf("got asked %v, want the consent page to mention offline access", asked)
		}
		with := o.Redeem("atlas", b.Submit(p, "decision", "allow").ResponseParams(t).Get("code"))
		bound := b.MustJoin("alice", "bound", "scope", "openid offline_access", "prompt", "consent")
		b.Get(providertest.EndSessionURL("id_token_hint", without.IDToken))
		for name, c := range map[string]struct {
			client string
			token  string
			lives  bool
		}{
			"without prompt=consent":         {"atlas", without.RefreshToken, false},
			"with it":                        {"atlas", with.RefreshToken, true},
			"of a client that may hold none": {"bound", bound.RefreshToken, false},
		} {
			a := o.Token(c.client, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {c.token}})
			if got := a.Error == ""; got != c.lives {
				t.Errorf("%s: got %+v, want it to live after the logout: %v", name, a, c.lives)
			}
			if c.lives && providertest.MustReadClaims(t, a.IDToken)["sid"] != nil {
				t.Error("got a sid in an ID token of offline access after the session ended")
			}
		}
	})
}
