package signout_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
)

// TestLogoutAsksUnlessTheHintIsOfThisSession walks what may and may not end a session without a question
// (RP-Initiated Logout 1.0 §2, §4).
func TestLogoutAsksUnlessTheHintIsOfThisSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("atlas", nil)
		o.MustAddClient("ledger", nil)
		o.MustAddUser("bob")
		other := o.Browser().MustJoin("bob", "atlas").IDToken
		earlier := o.Browser().MustJoin("alice", "atlas").IDToken // alice in another browser
		b := o.Browser()
		mine := b.MustJoin("alice", "atlas").IDToken
		parts := strings.Split(mine, ".")

		for name, c := range map[string]struct {
			query []string
			says  string // in error-description
		}{
			"nothing at all": {nil, ""},
			"only state":     {[]string{"state", "x"}, ""},
			"no hint": {
				[]string{"post_logout_redirect_uri", "https://atlas.example/bye", "state", "x"},
				"",
			},
			"only client_id": {
				[]string{"client_id", "atlas", "post_logout_redirect_uri", "https://atlas.example/bye"},
				"",
			},
			"another user's hint":       {[]string{"id_token_hint", other}, ""},
			"a hint of another browser": {[]string{"id_token_hint", earlier}, ""},
			"an unsigned hint": {
				[]string{"id_token_hint", "eyJhbGciOiJub25lIn0." + parts[1] + "."},
				"id_token_hint",
			},
			"a cut hint": {[]string{"id_token_hint", mine[:len(mine)-8]}, "id_token_hint"},
			"an unregistered target": {
				[]string{"id_token_hint", mine, "post_logout_redirect_uri", "https://evil.example/"},
				"post_logout_redirect_uri",
			},
			"a target with a query added": {
				[]string{"id_token_hint", mine, "post_logout_redirect_uri", "https://atlas.example/bye?x=1"},
				"post_logout_redirect_uri",
			},
			"a client_id that is not the aud": {[]string{"id_token_hint", mine, "client_id", "ledger"}, "client_id"},
			"an unknown client_id":            {[]string{"client_id", "nobody"}, "client_id"},
		} {
			p := b.Get(providertest.EndSessionURL(c.query...))
			if !strings.Contains(p.Body, `id="sign-out"`) || !strings.Contains(p.Body, `id="stay"`) {
				t.Errorf("%s: got no question (status %d):\n%s", name, p.Status, p.Body)
			}
			if strings.Contains(p.Body, "//evil.example") { // the links to other languages have it encoded
				t.Errorf("%s: got the target echoed", name)
			}
			if c.says != "" &&
				(p.Status != http.StatusBadRequest || !strings.Contains(p.Body, `id="error-description">`) || !strings.Contains(p.Body, c.says)) {
				t.Errorf("%s: got status %d without %q", name, p.Status, c.says)
			}
			if !b.SignedIn("atlas") {
				t.Fatalf("%s: got the session ended without a click", name)
			}
		}
	})
}

// TestExpiredHintStillSignsOut: a hint's expiry does not matter (RP-Initiated Logout 1.0 §2), nor does the retirement
// of its key.
func TestExpiredHintStillSignsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("atlas", nil)
		b := o.Browser()
		hint := b.MustJoin("alice", "atlas").IDToken
		for range 2 {
			if err := o.Ring.Rotate(t.Context(), time.Now(), true, "test"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Hour)
		}
		p := b.Get(
			providertest.EndSessionURL("id_token_hint", hint, "post_logout_redirect_uri", "https://atlas.example/bye"),
		)
		if p.Header.Get("Location") != "https://atlas.example/bye" || b.SignedIn("atlas") {
			t.Errorf("got %d, want signed out by an expired hint of a retired key:\n%s", p.Status, p.Body)
		}
	})
}

// TestConfirmationEndsWhatWasChosen: here, everywhere, or nothing; and the same form again does no more.
func TestConfirmationEndsWhatWasChosen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("atlas", nil)
		laptop, phone := o.Browser(), o.Browser()
		laptop.MustJoin("alice", "atlas")
		phone.MustJoin("alice", "atlas")

		ask := laptop.Get("/end_session")
		if p := laptop.Submit(ask, "scope", "stay"); !strings.Contains(p.Body, "still signed in") ||
			!laptop.SignedIn("atlas") {
			t.Errorf("got %d after Stay, want to be signed in", p.Status)
		}
		if p := laptop.Submit(ask, "scope", "session"); !strings.Contains(p.Body, `id="signed-out"`) ||
			laptop.SignedIn("atlas") {
			t.Errorf("got %d after Sign out, want this browser signed out", p.Status)
		}
		if !phone.SignedIn("atlas") {
			t.Error("got the phone signed out, want only the laptop")
		}
		if p := laptop.Submit(ask, "scope", "session"); p.Status != http.StatusOK ||
			!strings.Contains(p.Body, "nothing to sign out of") {
			t.Errorf("got %d for the same form again, want a calm page", p.Status)
		}
		laptop.MustJoin("alice", "atlas")
		if p := laptop.Submit(laptop.Get("/end_session"), "scope", "all"); !strings.Contains(
			p.Body,
			`id="signed-out"`,
		) ||
			laptop.SignedIn("atlas") ||
			phone.SignedIn("atlas") {
			t.Errorf("got %d after Everywhere, want both browsers signed out", p.Status)
		}
	})
}

// TestConfirmationLeadsNowhereThatIsNoLongerRegistered: a page that was open meanwhile ends the session all the same.
func TestConfirmationLeadsNowhereThatIsNoLongerRegistered(t *testing.T) {
	for name, change := range map[string]func(*providertest.Fixture){
		"disabled": func(o *providertest.Fixture) { o.MustAdmin(http.MethodPost, "/clients/atlas/disable", "") },
		"removed":  func(o *providertest.Fixture) { o.MustAdmin(http.MethodDelete, "/clients/atlas", "") },
		"target taken away": func(o *providertest.Fixture) {
			o.MustAdmin(http.MethodPatch, "/clients/atlas", `{"post_logout_redirect_uris":["https://atlas.example/other"]}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := providertest.MustStart(t, nil)
				o.MustAddClient("atlas", nil)
				o.MustAddClient("ledger", nil)
				b := o.Browser()
				b.MustJoin("alice", "ledger")
				page := b.Get(
					providertest.EndSessionURL(
						"client_id",
						"atlas",
						"post_logout_redirect_uri",
						"https://atlas.example/bye",
					),
				)
				change(o)
				p := b.Submit(page, "scope", "session")
				if p.Status != http.StatusOK || b.SignedIn("ledger") {
					t.Errorf("got %d, want signed out", p.Status)
				}
				if strings.Contains(p.Body, "https://atlas.example/bye") ||
					strings.Contains(p.Header.Get("Location"), "atlas.example") {
					t.Error("got led to an address that is not registered any more")
				}
			})
		})
	}
}

// TestForeignFormCannotConfirm: neither another site nor another browser can click for the user.
func TestForeignFormCannotConfirm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("atlas", nil)
		b, thief := o.Browser(), o.Browser()
		b.MustJoin("alice", "atlas")
		o.MustAddUser("eve")
		thief.MustJoin("eve", "atlas")
		action, stolen := thief.Get("/end_session").Form(t)
		stolen.Set("scope", "session")
		if p := b.Do(http.MethodPost, action, stolen, nil); p.Status != http.StatusBadRequest {
			t.Errorf("got %d for another browser's handle, want 400", p.Status)
		}
		action, own := b.Get("/end_session").Form(t)
		own.Set("scope", "session")
		if p := b.Do(http.MethodPost, action, own, http.Header{"Sec-Fetch-Site": {"cross-site"}}); p.Status != http.StatusForbidden {
			t.Errorf("got %d for a form from another site, want 403", p.Status)
		}
		if !b.SignedIn("atlas") {
			t.Error("got signed out by a form from another browser")
		}
	})
}

// TestCrossSitePostReachesTheSession: such a POST comes without the Lax cookie and is led over a GET of our own; the
// ID token is not in its URL.
func TestCrossSitePostReachesTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("atlas", nil)
		b := o.Browser()
		hint := b.MustJoin("alice", "atlas").IDToken
		form := url.Values{
			"id_token_hint":            {hint},
			"post_logout_redirect_uri": {"https://atlas.example/bye"},
			"state":                    {"s"},
		}
		lax := b.Cookies["__Host-curfew-session"]
		delete(b.Cookies, "__Host-curfew-session")
		p := b.Do(http.MethodPost, "/end_session", form, http.Header{"Sec-Fetch-Site": {"cross-site"}})
		location := p.Header.Get("Location")
		if p.Status != http.StatusSeeOther || !strings.HasPrefix(location, "/end_session?request=") ||
			strings.Contains(location, hint) {
			t.Fatalf("got %d to %q, want 303 to our own GET without the hint", p.Status, location)
		}
		b.Cookies["__Host-curfew-session"] = lax
		p = b.Follow(p)
		if location := p.Header.Get("Location"); location != "https://atlas.example/bye?state=s" || b.SignedIn("atlas") {
			t.Errorf("got %d to %q, want signed out and back", p.Status, location)
		}
	})
}

// server is what an app's server or a native app sends: no cookie, and none of a browser's headers.
var server = http.Header{"Sec-Fetch-Site": nil}

// TestHintWithoutCookieEndsNoMoreThanItProves: by default the client's own client session, the whole session or
// nothing where the client says so. The client's other sessions, and other clients, go on.
func TestHintWithoutCookieEndsNoMoreThanItProves(t *testing.T) {
	for backend, want := range map[string]struct {
		atlas, ledger bool
		page          string
	}{
		"":        {false, true, "Signed out of this app"},
		"client":  {false, true, "Signed out of this app"},
		"session": {false, false, "That session has ended"},
		"none":    {true, true, ""},
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			synctest.Test(t, func(t *testing.T) {
				o := providertest.MustStart(t, nil)
				o.MustAddClient("atlas", func(m *storage.Metadata) { m.BackendLogout = backend })
				o.MustAddClient("ledger", nil)
				b, other := o.Browser(), o.Browser()
				joined := b.MustJoin("alice", "atlas")
				ledger := b.MustJoin("alice", "ledger").AccessToken
				elsewhere := other.MustJoin("alice", "atlas").AccessToken
				target, form := "/end_session", url.Values{"id_token_hint": {joined.IDToken}}
				if method == http.MethodGet {
					target, form = providertest.EndSessionURL("id_token_hint", joined.IDToken), nil
				}
				caller := o.Browser()
				p := caller.Follow(caller.Do(method, target, form, server))
				if p.Status >= 400 || !strings.Contains(p.Body, want.page) {
					t.Errorf("%s, backend_logout %q: got %d, want %q on the page", method, backend, p.Status, want.page)
				}
				got := [3]bool{
					o.Active("atlas", joined.AccessToken),
					o.Active("ledger", ledger),
					o.Active("atlas", elsewhere),
				}
				if got != [3]bool{want.atlas, want.ledger, true} {
					t.Errorf(
						"%s, backend_logout %q: got active at atlas, ledger, elsewhere %v, want %v",
						method,
						backend,
						got,
						want,
					)
				}
			})
		}
	}
}

// TestOnlyAnActiveClientSessionOfTheHintsClientEnds: an old hint, and one without a sid, end nothing.
func TestOnlyAnActiveClientSessionOfTheHintsClientEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("atlas", nil)
		b := o.Browser()
		old := b.MustJoin("alice", "atlas").IDToken
		b.Get(providertest.EndSessionURL("id_token_hint", old))
		joined := b.MustJoin("alice", "atlas")
		if p := o.Browser().Do(http.MethodGet, providertest.EndSessionURL("id_token_hint", old), nil, server); p.Status != http.StatusOK {
			t.Errorf("got %d, want a calm page", p.Status)
		}
		if !o.Active("atlas", joined.AccessToken) {
			t.Error("got a later sign-in ended by the hint of an earlier one")
		}
	})
}

// TestReturnTargetWithoutAClientIsOnlyOffered: a client of the session must have registered it, and the browser never
// goes there by itself.
func TestReturnTargetWithoutAClientIsOnlyOffered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("atlas", nil)
		o.MustAddClient("ledger", nil)
		for target, offered := range map[string]bool{
			"https://atlas.example/bye":  true,
			"https://ledger.example/bye": false,
			"https://evil.example/":      false,
		} {
			b := o.Browser()
			b.MustJoin("alice", "atlas")
			p := b.Submit(
				b.Get(providertest.EndSessionURL("post_logout_redirect_uri", target, "state", "s")),
				"scope",
				"session",
			)
			if got := p.Attribute("data-continue-url"); p.Status != http.StatusOK || got != "" ||
				strings.Contains(p.Body, "http-equiv") && strings.Contains(p.Body, "url="+target) {
				t.Errorf("%s: got %d and %q, want a page that stays", target, p.Status, got)
			}
			if got := strings.Contains(p.Body, `href="`+target+`?state=s"`); got != offered {
				t.Errorf("%s: got the link %v, want %v", target, got, offered)
			}
		}
	})
}

// TestSpeculativeRequestsEndNothing: a HEAD request, a prefetch or a prerendering is not a user who signs out.
func TestSpeculativeRequestsEndNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("atlas", nil)
		b := o.Browser()
		hint := b.MustJoin("alice", "atlas").IDToken
		target := providertest.EndSessionURL("id_token_hint", hint)
		for _, browser := range []*providertest.Browser{b, o.Browser()} {
			browser.Do(http.MethodHead, target, nil, nil)
			browser.Do(http.MethodGet, target, nil, http.Header{"Sec-Purpose": {"prefetch;prerender"}})
			browser.Do(http.MethodGet, target, nil, http.Header{"Purpose": {"prefetch"}})
		}
		if !b.SignedIn("atlas") {
			t.Error("got the user signed out by a request that no user made")
		}
	})
}

// TestBackendLearnsNothingOfOtherApplications: an ID token belongs to one client. A caller with the ID token and
// without the cookie gets neither the names nor the sids of the other clients, which would suffice for a
// front-channel logout.
func TestBackendLearnsNothingOfOtherApplications(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("atlas", func(m *storage.Metadata) { m.BackendLogout = "session" })
		o.MustAddClient("ledger", func(m *storage.Metadata) {
			m.BackchannelLogoutURI, m.FrontchannelLogoutURI = "", "https://ledger.example/front"
		})
		o.MustAddClient("mail", nil)
		b := o.Browser()
		hint := b.MustJoin("alice", "atlas").IDToken
		sid := providertest.MustReadClaims(t, b.MustJoin("alice", "ledger").IDToken)["sid"].(string)
		b.MustJoin("alice", "mail", "scope", "openid offline_access", "prompt", "consent")
		p := o.Browser().Do(http.MethodPost, "/end_session", url.Values{"id_token_hint": {hint}}, server)
		if p.Status != http.StatusOK || b.SignedIn("atlas") {
			t.Errorf("got %d, want the session ended", p.Status)
		}
		for _, secret := range []string{"Ledger", "ledger.example", "Mail", sid} {
			if strings.Contains(p.Body, secret) || strings.Contains(p.Header.Get("Content-Security-Policy"), secret) {
				t.Errorf("got %q in the answer to a server that showed an ID token of atlas", secret)
			}
		}
		for name, values := range p.Header {
			if name == "Set-Cookie" {
				t.Errorf("got %v, want no cookies for a server", values)
			}
		}
	})
}

// TestSecondClickStillLeadsBack: a valid target is honoured although the user is signed out already; a revoked cookie
// changes nothing.
func TestSecondClickStillLeadsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("atlas", nil)
		b := o.Browser()
		hint := b.MustJoin("alice", "atlas").IDToken
		target := providertest.EndSessionURL(
			"id_token_hint",
			hint,
			"post_logout_redirect_uri",
			"https://atlas.example/bye",
			"state",
			"s",
		)
		cookie := b.Cookies["__Host-curfew-session"]
		b.Get(target)
		b.Cookies["__Host-curfew-session"] = cookie
		for range 2 {
			p := b.Do(http.MethodGet, target, nil, nil)
			if got := p.Header.Get("Location"); got != "https://atlas.example/bye?state=s" {
				t.Errorf("got %d to %q, want back to the application", p.Status, got)
			}
		}
		if p := b.Get("/end_session"); p.Status != http.StatusOK || !strings.Contains(p.Body, `id="signed-out"`) {
			t.Errorf("got %d without anything, want the signed-out page", p.Status)
		}
		if p := b.Get(providertest.EndSessionURL("client_id", "atlas", "post_logout_redirect_uri", "https://atlas.example/bye")); p.Status != http.StatusOK ||
			!strings.Contains(p.Body, "https://atlas.example/bye") {
			t.Errorf("got %d for client_id and target without a session, want a page with a link", p.Status)
		}
	})
}

// TestStateReturnsByteForByte: fifty letters, ten digits and punctuation, as the conformance suite sends it; also
// where the URI has a query.
func TestStateReturnsByteForByte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("atlas", func(m *storage.Metadata) {
			m.BackchannelLogoutURI = ""
			m.PostLogoutRedirectURIs = []string{"https://atlas.example/bye", "https://atlas.example/bye?a=b"}
		})
		const state = "abcABC0123!$'()*,-./:?@_~{}[]|\\^`\"<>#%&=+;"
		for _, target := range []string{"https://atlas.example/bye", "https://atlas.example/bye?a=b"} {
			b := o.Browser()
			hint := b.MustJoin("alice", "atlas").IDToken
			p := b.Get(
				providertest.EndSessionURL("id_token_hint", hint, "post_logout_redirect_uri", target, "state", state),
			)
			u, err := url.Parse(p.Header.Get("Location"))
			if err != nil || p.Status != http.StatusSeeOther {
				t.Fatalf("got %d to %q", p.Status, p.Header.Get("Location"))
			}
			if got := u.Query().Get("state"); got != state || !strings.HasPrefix(u.String(), target) {
				t.Errorf("got state %q at %s, want %q at %s", got, u, state, target)
			}
		}
	})
}

// TestSemicolonInALogoutRequestIsData: RFC 3986 §3.4 allows it in a query, raw, and only & separates parameters.
func TestSemicolonInALogoutRequestIsData(t *testing.T) {
	f := providertest.MustStart(t, nil)
	f.MustAddClient("atlas", nil)
	b := f.Browser()
	hint := b.MustJoin("alice", "atlas").IDToken
	request := providertest.EndSessionURL(
		"id_token_hint", hint, "post_logout_redirect_uri", "https://atlas.example/bye", "state", "XYZ")
	page := b.Get(strings.Replace(request, "XYZ", "a;state=b", 1))
	if got := page.Header.Get("Location"); got != "https://atlas.example/bye?state=a%3Bstate%3Db" {
		t.Errorf("got %d to %q, want the state with its semicolon", page.Status, got)
	}
}
