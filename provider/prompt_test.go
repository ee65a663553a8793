package provider_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// TestPromptNoneNeverShowsAnything: a code, or the reason why not, and never a session that was not there (Core §3.1.2.6).
func TestPromptNoneNeverShowsAnything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := mustStart(t, nil)
		o.mustAddClient("atlas", nil)
		o.mustAddClient("ledger", func(m *storage.Metadata) { m.Consent = "" })
		o.mustAddClient("fresh", func(m *storage.Metadata) { age := 60; m.DefaultMaxAge = &age })
		o.mustAddUser("bob")
		bobs := o.browser().mustJoin("bob", "atlas").IDToken
		b := o.browser()
		mine := b.mustJoin("alice", "atlas").IDToken
		time.Sleep(5 * time.Minute)
		for name, c := range map[string]struct {
			b      *browser
			client string
			more   []string
			want   string // error; empty: a code
		}{
			"nobody signed in":               {o.browser(), "atlas", nil, "login_required"},
			"signed in":                      {b, "atlas", nil, ""},
			"one's own hint":                 {b, "atlas", []string{"id_token_hint", mine}, ""},
			"a hint of somebody else":        {b, "atlas", []string{"id_token_hint", bobs}, "login_required"},
			"claims that name somebody else": {b, "atlas", []string{"claims", `{"id_token":{"sub":{"value":"sub-bob"}}}`}, "login_required"},
			"claims that name the person":    {b, "atlas", []string{"claims", `{"id_token":{"sub":{"value":"sub-alice"}}}`}, ""},
			"both, and they differ":          {b, "atlas", []string{"id_token_hint", mine, "claims", `{"id_token":{"sub":{"value":"sub-bob"}}}`}, "invalid_request"},
			"no consent":                     {b, "ledger", nil, "consent_required"},
			"old enough":                     {b, "atlas", []string{"max_age", "300"}, ""},
			"too old":                        {b, "atlas", []string{"max_age", "299"}, "login_required"},
			"too old for the client":         {b, "fresh", nil, "login_required"},
			"the request says otherwise":     {b, "fresh", []string{"max_age", "3600"}, ""},
		} {
			before := c.b.cookies["__Host-curfew-session"]
			p := c.b.do(http.MethodGet, authorizeURL(c.client, append(c.more, "prompt", "none")...), nil, nil)
			a := p.responseParams(t)
			if a.Get("error") != c.want || (a.Get("code") == "") != (c.want != "") || strings.Contains(p.Body, "<") {
				t.Errorf("%s: got %v %q, want error %q", name, a, p.Body, c.want)
			}
			if c.b.cookies["__Host-curfew-session"] != before {
				t.Errorf("%s: got another session cookie", name)
			}
		}
	})
}

// TestPromptLoginAsksForThePasswordOfTheSameUser: the account is given, a wrong password ends nothing, and the same session goes on with a new secret and
// a later auth_time.
func TestPromptLoginAsksForThePasswordOfTheSameUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := mustStart(t, nil)
		o.mustAddClient("atlas", nil)
		b := o.browser()
		first := claims(t, b.mustJoin("alice", "atlas").IDToken)
		old := b.copy()
		for _, more := range [][]string{{"prompt", "login"}, {"max_age", "0"}, {"max_age", "59"}} {
			time.Sleep(time.Minute)
			p := b.get(authorizeURL("atlas", more...))
			if !strings.Contains(p.Body, `id="password"`) || !strings.Contains(p.Body, "readonly") || !strings.Contains(p.Body, `value="alice"`) {
				t.Fatalf("%v: got %d, want to be asked for alice's password:\n%s", more, p.Status, p.Body)
			}
			if w := b.submit(p, "password", "wrong"); !strings.Contains(w.Body, `id="problem"`) || !b.signedIn("atlas") {
				t.Errorf("%v: got %d for a wrong password, want the page again and the session alive", more, w.Status)
			}
			// Whatever name the form carries, the account is the session's.
			a := o.redeem("atlas", b.submit(p, "username", "bob", "password", testPassword).responseParams(t).Get("code"))
			again := claims(t, a.IDToken)
			if again["sub"] != first["sub"] || again["sid"] != first["sid"] || again["auth_time"].(float64) <= first["auth_time"].(float64) {
				t.Errorf("%v: got %v after %v, want the same sub and sid, and a later auth_time", more, again, first)
			}
			if old.signedIn("atlas") {
				t.Errorf("%v: got the old cookie alive after an authentication", more)
			}
			old, first = b.copy(), again
		}
	})
}

// TestAnotherUserEndsTheSession: whoever signs in as somebody else in a browser ends the session that was there. Its applications are told, and nothing of
// it is inherited.
func TestAnotherUserEndsTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := mustStart(t, nil)
		o.mustAddClient("atlas", nil)
		o.mustAddUser("bob")
		bobs := o.browser().mustJoin("bob", "atlas").IDToken
		b := o.browser()
		alices := b.mustJoin("alice", "atlas")
		old := b.copy()
		time.Sleep(time.Minute)

		choose := b.get(authorizeURL("atlas", "prompt", "select_account"))
		if !strings.Contains(choose.Body, "alice@example.org") || choose.link("other-account") == "" {
			t.Fatalf("got %d, want to choose between alice and another account:\n%s", choose.Status, choose.Body)
		}
		if got := b.copy().submit(choose).responseParams(t).Get("code"); got == "" {
			t.Error("got no code after choosing the account that is there")
		}
		other := b.get(choose.link("other-account"))
		if strings.Contains(other.Body, "readonly") || strings.Contains(other.Body, `value="alice"`) {
			t.Error("got alice's name on the page for another account")
		}
		// A hint at bob leads there too, and alice's password does not get past it.
		hinted := b.get(authorizeURL("atlas", "id_token_hint", bobs))
		if p := b.copy().submit(hinted, "username", "alice", "password", testPassword); !strings.Contains(p.Body, "another account") {
			t.Errorf("got %d to %q for the wrong person", p.Status, p.Header.Get("Location"))
		}
		a := o.redeem("atlas", b.submit(other, "username", "bob", "password", testPassword).responseParams(t).Get("code"))
		new, was := claims(t, a.IDToken), claims(t, alices.IDToken)
		if new["sub"] != "sub-bob" || new["sid"] == was["sid"] {
			t.Errorf("got %v, want bob under a sid of his own", new)
		}
		if old.signedIn("atlas") || o.active("atlas", alices.AccessToken) {
			t.Error("got alice's session alive after bob signed in on her browser")
		}
		synctest.Wait()
		var told []any
		for _, p := range o.clients.sent() {
			told = append(told, claims(t, p.Form.Get("logout_token"))["sid"])
		}
		if len(told) != 1 || told[0] != was["sid"] {
			t.Errorf("got %v told, want alice's sid only", told)
		}
	})
}

// TestLoginHintFillsTheName: and nothing else.
func TestLoginHintFillsTheName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := mustStart(t, nil)
		o.mustAddClient("atlas", nil)
		b := o.browser()
		p := b.get(authorizeURL("atlas", "login_hint", `alice@example.org" autofocus onfocus="alert(1)`))
		if !strings.Contains(p.Body, `value="alice@example.org&#34; autofocus onfocus=&#34;alert(1)"`) {
			t.Errorf("got a page without the hint, escaped:\n%s", p.Body)
		}
		// What the person typed counts more than the hint.
		if p = b.submit(p, "username", "bob", "password", "x"); !strings.Contains(p.Body, `value="bob"`) {
			t.Error("got the name that was typed forgotten")
		}
	})
}
