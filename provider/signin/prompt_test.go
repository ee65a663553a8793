package signin_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
)

// TestPromptNoneNeverShowsAnything: a code, or the reason why not, and never a session that was not there (Core
// §3.1.2.6).
func TestPromptNoneNeverShowsAnything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("atlas", nil)
		o.MustAddClient("ledger", func(m *storage.Metadata) { m.Consent = "" })
		o.MustAddClient("fresh", func(m *storage.Metadata) { age := 60; m.DefaultMaxAge = &age })
		o.MustAddUser("bob")
		bobs := o.Browser().MustJoin("bob", "atlas").IDToken
		b := o.Browser()
		mine := b.MustJoin("alice", "atlas").IDToken
		time.Sleep(5 * time.Minute)
		for name, c := range map[string]struct {
			b      *providertest.Browser
			client string
			more   []string
			want   string // error; empty: a code
		}{
			"nobody signed in":        {o.Browser(), "atlas", nil, "login_required"},
			"signed in":               {b, "atlas", nil, ""},
			"one's own hint":          {b, "atlas", []string{"id_token_hint", mine}, ""},
			"a hint of somebody else": {b, "atlas", []string{"id_token_hint", bobs}, "login_required"},
			"claims that name somebody else": {
				b,
				"atlas",
				[]string{"claims", `{"id_token":{"sub":{"value":"sub-bob"}}}`},
				"login_required",
			},
			"claims that name the person": {
				b,
				"atlas",
				[]string{"claims", `{"id_token":{"sub":{"value":"sub-alice"}}}`},
				"",
			},
			"both, and they differ": {
				b,
				"atlas",
				[]string{"id_token_hint", mine, "claims", `{"id_token":{"sub":{"value":"sub-bob"}}}`},
				"invalid_request",
			},
			"no consent":                 {b, "ledger", nil, "consent_required"},
			"old enough":                 {b, "atlas", []string{"max_age", "300"}, ""},
			"too old":                    {b, "atlas", []string{"max_age", "299"}, "login_required"},
			"too old for the client":     {b, "fresh", nil, "login_required"},
			"the request says otherwise": {b, "fresh", []string{"max_age", "3600"}, ""},
		} {
			before := c.b.Cookies["__Host-curfew-session"]
			p := c.b.Do(
				http.MethodGet,
				providertest.AuthorizeURL(c.client, append(c.more, "prompt", "none")...),
				nil,
				nil,
			)
			a := p.ResponseParams(t)
			if a.Get("error") != c.want || (a.Get("code") == "") != (c.want != "") || strings.Contains(p.Body, "<") {
				t.Errorf("%s: got %v %q, want error %q", name, a, p.Body, c.want)
			}
			if c.b.Cookies["__Host-curfew-session"] != before {
				t.Errorf("%s: got another session cookie", name)
			}
		}
	})
}

// TestPromptLoginAsksForThePasswordOfTheSameUser: the account is given, a wrong password ends nothing, and the same
// session goes on with a new secret and a later auth_time.
func TestPromptLoginAsksForThePasswordOfTheSameUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("atlas", nil)
		b := o.Browser()
		first := providertest.MustReadClaims(t, b.MustJoin("alice", "atlas").IDToken)
		old := b.Copy()
		for _, more := range [][]string{{"prompt", "login"}, {"max_age", "0"}, {"max_age", "59"}} {
			time.Sleep(time.Minute)
			p := b.Get(providertest.AuthorizeURL("atlas", more...))
			if !strings.Contains(p.Body, `id="password"`) || !strings.Contains(p.Body, "readonly") ||
				!strings.Contains(p.Body, `value="alice"`) {
				t.Fatalf("%v: got %d, want to be asked for alice's password:\n%s", more, p.Status, p.Body)
			}
			if w := b.Submit(p, "password", "wrong"); !strings.Contains(w.Body, `id="problem"`) ||
				!b.SignedIn("atlas") {
				t.Errorf("%v: got %d for a wrong password, want the page again and the session alive", more, w.Status)
			}
			// Whatever name the form carries, the account is the session's.
			a := o.Redeem(
				"atlas",
				b.Submit(p, "username", "bob", "password", providertest.Password).ResponseParams(t).Get("code"),
			)
			again := providertest.MustReadClaims(t, a.IDToken)
			if again["sub"] != first["sub"] || again["sid"] != first["sid"] ||
				again["auth_time"].(float64) <= first["auth_time"].(float64) {
				t.Errorf("%v: got %v after %v, want the same sub and sid, and a later auth_time", more, again, first)
			}
			if old.SignedIn("atlas") {
				t.Errorf("%v: got the old cookie alive after an authentication", more)
			}
			old, first = b.Copy(), again
		}
	})
}

// TestAnotherUserEndsTheSession: signing in as another user ends the session that the browser had. Its clients are
// notified, and the new session inherits nothing of it.
func TestAnotherUserEndsTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("atlas", nil)
		o.MustAddUser("bob")
		bobs := o.Browser().MustJoin("bob", "atlas").IDToken
		b := o.Browser()
		alices := b.MustJoin("alice", "atlas")
		old := b.Copy()
		time.Sleep(time.Minute)

		choose := b.Get(providertest.AuthorizeURL("atlas", "prompt", "select_account"))
		if !strings.Contains(choose.Body, "alice@example.org") || choose.Link("other-account") == "" {
			t.Fatalf("got %d, want to choose between alice and another account:\n%s", choose.Status, choose.Body)
		}
		if got := b.Copy().Submit(choose).ResponseParams(t).Get("code"); got == "" {
			t.Error("got no code after choosing the account that is there")
		}
		other := b.Get(choose.Link("other-account"))
		if strings.Contains(other.Body, "readonly") || strings.Contains(other.Body, `value="alice"`) {
			t.Error("got alice's name on the page for another account")
		}
		// A hint at bob leads there too, and alice's password does not get past it.
		hinted := b.Get(providertest.AuthorizeURL("atlas", "id_token_hint", bobs))
		if p := b.Copy().Submit(hinted, "username", "alice", "password", providertest.Password); !strings.Contains(
			p.Body,
			"a different account",
		) {
			t.Errorf("got %d to %q for the wrong user", p.Status, p.Header.Get("Location"))
		}
		a := o.Redeem(
			"atlas",
			b.Submit(other, "username", "bob", "password", providertest.Password).ResponseParams(t).Get("code"),
		)
		new, was := providertest.MustReadClaims(t, a.IDToken), providertest.MustReadClaims(t, alices.IDToken)
		if new["sub"] != "sub-bob" || new["sid"] == was["sid"] {
			t.Errorf("got %v, want bob under a sid of his own", new)
		}
		if old.SignedIn("atlas") || o.Active("atlas", alices.AccessToken) {
			t.Error("got alice's session still active after bob signed in on her browser")
		}
		synctest.Wait()
		var notified []any
		for _, p := range o.Clients.Sent() {
			notified = append(notified, providertest.MustReadClaims(t, p.Form.Get("logout_token"))["sid"])
		}
		if len(notified) != 1 || notified[0] != was["sid"] {
			t.Errorf("got logout tokens for %v, want alice's sid only", notified)
		}
	})
}

// TestLoginHintFillsTheName: and nothing else.
func TestLoginHintFillsTheName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("atlas", nil)
		b := o.Browser()
		p := b.Get(providertest.AuthorizeURL("atlas", "login_hint", `alice@example.org" autofocus onfocus="alert(1)`))
		if !strings.Contains(p.Body, `value="alice@example.org&#34; autofocus onfocus=&#34;alert(1)"`) {
			t.Errorf("got a page without the hint, escaped:\n%s", p.Body)
		}
		// What the user typed counts more than the hint.
		if p = b.Submit(p, "username", "bob", "password", "x"); !strings.Contains(p.Body, `value="bob"`) {
			t.Error("got the name that was typed forgotten")
		}
	})
}
