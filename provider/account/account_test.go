package account_test

import (
	"crypto/sha1"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-id/curfew/provider"
	"github.com/curfew-id/curfew/provider/password"
	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
)

// A session's name on the account page works for its user only, and a form works for its session only.
func TestOnlyOnesOwnSessionsCanBeEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("atlas", nil)
		o.MustAddUser("eve")
		alice, eve := o.Browser(), o.Browser()
		alice.MustJoin("alice", "atlas")
		alice.MustJoin("alice", "atlas", "scope", "openid offline_access", "prompt", "consent")
		eve.MustJoin("eve", "atlas")
		p := alice.Get("/account")
		for _, name := range []string{"sign-out", "leave", "end-offline"} {
			if len(p.Buttons(name)) == 0 {
				t.Fatalf("got no button %s on alice's page", name)
			}
			for _, form := range [][]string{{name, p.Buttons(name)[0]}, {"not-me", p.Buttons("sign-out")[0]}} {
				if got := eve.Submit(eve.Get("/account"), form...); got.Status != http.StatusOK ||
					!strings.Contains(got.Body, "nothing has changed") {
					t.Errorf("got %d for %v, want nothing ended", got.Status, form)
				}
			}
		}
		action, fields := p.Form(t)
		fields.Set("scope", "all")
		if got := eve.Post(action, fields); got.Status != http.StatusBadRequest {
			t.Errorf("got %d for alice's form in eve's browser, want 400", got.Status)
		}
		if !alice.SignedIn("atlas") {
			t.Error("got alice signed out by eve")
		}
		// A form that was open while somebody else signed in there ends nothing of theirs.
		time.Sleep(time.Second)
		other := alice.Get(
			alice.Get(providertest.AuthorizeURL("atlas", "prompt", "select_account")).Link("other-account"),
		)
		alice.Submit(other, "username", "eve", "password", providertest.Password)
		if got := alice.Post(action, fields); got.Status != http.StatusBadRequest || !eve.SignedIn("atlas") ||
			!alice.SignedIn("atlas") {
			t.Errorf("got %d for a form of the session before, want 400", got.Status)
		}
	})
}

// TestChangeOfPasswordProvesAndRenews: only with the current password, by the rules, and this session goes on under a
// new secret.
func TestChangeOfPasswordProvesAndRenews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("atlas", nil)
		b, other := o.Browser(), o.Browser()
		b.MustJoin("alice", "atlas")
		other.MustJoin("alice", "atlas")
		const fresh = "a new long password"
		for name, c := range map[string][4]string{
			"the wrong one":   {"wrong", fresh, fresh, "current password is wrong"},
			"don’t match":     {providertest.Password, fresh, fresh + "x", "don’t match"},
			"too short":       {providertest.Password, "short", "short", "too short"},
			"too long":        {providertest.Password, strings.Repeat("x", 1025), strings.Repeat("x", 1025), "too long"},
			"the old one":     {providertest.Password, providertest.Password, providertest.Password, "same as the old one"},
			"one's own name":  {providertest.Password, "alice@example.org", "alice@example.org", "too common"},
			"nothing":         {providertest.Password, "", "", "too short"},
			"a common one":    {providertest.Password, "password", "password", "too common"},
			"no current one":  {"", fresh, fresh, "current password is wrong"},
			"a very long one": {strings.Repeat("x", 2000), fresh, fresh, "current password is wrong"},
		} {
			p := b.SubmitSecurity(
				"/account/password",
				"current-password",
				c[0],
				"new-password",
				c[1],
				"repeat-password",
				c[2],
			)
			if p.Status != http.StatusUnprocessableEntity && p.Status != http.StatusTooManyRequests ||
				!strings.Contains(p.Body, c[3]) && !strings.Contains(p.Body, "Too many attempts") {
				t.Errorf("%s: got %d, want %q", name, p.Status, c[3])
			}
			time.Sleep(time.Minute)
		}
		if !other.SignedIn("atlas") {
			t.Fatal("got a session ended by a change that was refused")
		}
		old := b.Copy()
		id := o.MustFindSession("alice", b)
		p := b.SubmitSecurity(
			"/account/password",
			"current-password",
			providertest.Password,
			"new-password",
			fresh,
			"repeat-password",
			fresh,
			"scope",
			"others",
		)
		if p.Status != http.StatusOK || !strings.Contains(p.Body, "Your password was changed") {
			t.Fatalf("got %d, want the password changed:\n%s", p.Status, p.Body)
		}
		if other.SignedIn("atlas") || old.SignedIn("atlas") || !b.SignedIn("atlas") ||
			o.MustFindSession("alice", b) != id {
			t.Error("got the others alive, the old secret good, or this session gone")
		}
		late := o.Browser()
		if p := late.Submit(late.Get(providertest.AuthorizeURL("atlas")), "username", "alice", "password", providertest.Password); !strings.Contains(
			p.Body,
			"password is wrong",
		) {
			t.Errorf("got %d for the old password", p.Status)
		}
	})
}

// TestChangeOfEmailNeedsPasswordAndLink: the request alone changes nothing, and it does not show whose an address is.
func TestChangeOfEmailNeedsPasswordAndLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, func(c *provider.Config) { c.Mail = providertest.DiscardMail{} })
		o.MustAddClient("atlas", nil)
		o.MustAddUser("bob")
		b := o.Browser()
		b.MustJoin("alice", "atlas")
		for name, c := range map[string][3]string{
			"the wrong password":  {"a@new.example", "wrong", "current password is wrong"},
			"no address":          {"nobody", providertest.Password, "isn’t an email address"},
			"a name with it":      {"Al <a@new.example>", providertest.Password, "isn’t an email address"},
			"one turned around":   {"a\u202e@new.example", providertest.Password, "isn’t an email address"},
			"one like bob's":      {"bob\u200b@example.org", providertest.Password, "isn’t an email address"},
			"two":                 {"a@new.example, b@new.example", providertest.Password, "isn’t an email address"},
			"bob's name, a login": {"bob", providertest.Password, "isn’t an email address"},
		} {
			p := b.SubmitSecurity("/account/email", "email", c[0], "current-password", c[1])
			if p.Status != http.StatusUnprocessableEntity || !strings.Contains(p.Body, c[2]) {
				t.Errorf("%s: got %d, want %q", name, p.Status, c[2])
			}
		}
		other := o.Browser()
		other.MustJoin("alice", "atlas")
		if p := b.SubmitSecurity("/account/email", "email", "alice@example.org", "current-password", providertest.Password); p.Status != http.StatusOK ||
			!other.SignedIn("atlas") {
			t.Errorf("got %d and others ended for the address that it was", p.Status)
		}
		p := b.SubmitSecurity("/account/email", "email", "alice@new.example", "current-password", providertest.Password)
		u, err := o.Store.User(t.Context(), "sub-alice")
		if err != nil || p.Status != http.StatusOK || u.Email != "alice@example.org" || !other.SignedIn("atlas") {
			t.Errorf("got %d, %+v, %v, want nothing changed before the link is followed", p.Status, u, err)
		}
		// The answer for bob's address is the same: it does not show that he has an account.
		if p := b.SubmitSecurity("/account/email", "email", "BOB@example.org", "current-password", providertest.Password); p.Status != http.StatusOK {
			t.Errorf("got %d for an address that another user has", p.Status)
		}
		if u, err := o.Store.UserByLogin(t.Context(), "bob@example.org"); err != nil || u.Subject != "sub-bob" {
			t.Errorf("got %s, %v, want bob to keep his address", u.Subject, err)
		}
	})
}

// TestInvitationIsNoReset: a user without a password is welcomed, and reads nothing of devices that are signed out.
func TestInvitationIsNoReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		if err := o.Store.PutUser(t.Context(), storage.User{Subject: "sub-new", Name: "new", Created: time.Now(), Updated: time.Now()}); err != nil {
			t.Fatal(err)
		}
		b := o.Browser()
		p := b.Get(o.MustMakeResetLink("new"))
		if !strings.Contains(p.Body, "Welcome") || strings.Contains(p.Body, "signed out") ||
			strings.Contains(p.Body, "keep-background") {
			t.Errorf("got %d, want an invitation:\n%s", p.Status, p.Body)
		}
		if p = b.Submit(p, "new-password", "a new long password", "repeat-password", "a new long password"); !strings.Contains(
			p.Body,
			"You can sign in now.",
		) {
			t.Errorf("got %d, want the password set", p.Status)
		}
	})
}

// Opening a reset link does not use it up. The password rules apply, and another user who is signed in on that browser
// stays signed in.
func TestResetLinkWorksOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("atlas", nil)
		o.MustAddUser("bob")
		alice, helper := o.Browser(), o.Browser()
		alice.MustJoin("alice", "atlas")
		helper.MustJoin("bob", "atlas")
		link := o.MustMakeResetLink("alice")
		for range 3 {
			if p := helper.Get(link); p.Status != http.StatusOK || !strings.Contains(p.Body, "alice") {
				t.Fatalf("got %d from a fresh link", p.Status)
			}
		}
		const fresh = "a new long password"
		if p := helper.Submit(helper.Get(link), "new-password", "short", "repeat-password", "short"); p.Status != http.StatusUnprocessableEntity {
			t.Errorf("got %d for a short password, want 422", p.Status)
		}
		action, fields := helper.Get(link).Form(t)
		fields.Set("new-password", fresh)
		fields.Set("repeat-password", fresh)
		if p := o.Browser().Post(action, fields); p.Status != http.StatusBadRequest {
			t.Errorf("got %d for another browser's form, want 400", p.Status)
		}
		if p := helper.Post(action, fields); p.Status != http.StatusOK {
			t.Fatalf("got %d, want the password set:\n%s", p.Status, p.Body)
		}
		if alice.SignedIn("atlas") || !helper.SignedIn("atlas") {
			t.Error("got alice's session alive, or bob signed out of the browser he helped with")
		}
		if p := helper.Post(action, fields); p.Status != http.StatusGone {
			t.Errorf("got %d for the second use, want 410", p.Status)
		}
		for _, path := range []string{link, "/reset/" + strings.Repeat("A", 43), "/reset/x"} {
			if p := helper.Get(path); p.Status != http.StatusGone {
				t.Errorf("got %d from %.12s, want 410", p.Status, path)
			}
		}
		late := o.MustMakeResetLink("alice")
		time.Sleep(time.Hour)
		if p := helper.Get(late); p.Status != http.StatusGone {
			t.Errorf("got %d from a link past its hour, want 410", p.Status)
		}
	})
}

// TestReportsAreForTheirUserOnly: the page, its status for the script, and the signed copy.
func TestReportsAreForTheirUserOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("atlas", nil)
		o.MustAddUser("eve")
		phone, laptop, eve := o.Browser(), o.Browser(), o.Browser()
		phone.MustJoin("alice", "atlas")
		laptop.MustJoin("alice", "atlas")
		eve.MustJoin("eve", "atlas")
		p := laptop.Submit(laptop.Get("/account"), "sign-out", laptop.Get("/account").Buttons("sign-out")[1])
		report := strings.TrimSuffix(p.Attribute("data-status-url"), "/status.json")
		if !strings.HasPrefix(report, "/account/reports/") {
			t.Fatalf("got %d at %s, want the report", p.Status, p.Path)
		}
		for path, want := range map[string][3]int{"": {200, 404, 200}, "/status.json": {200, 404, 401}, "/report.jwt": {200, 404, 200}} {
			for i, b := range []*providertest.Browser{laptop, eve, phone} {
				got := b.Get(report + path)
				if got.Status != want[i] ||
					i == 2 && got.Status == 200 && !strings.Contains(got.Body, `id="password"`) {
					t.Errorf("got %d from %s for browser %d, want %d", got.Status, path, i, want[i])
				}
			}
		}
		signed := laptop.Get(report + "/report.jwt")
		if providertest.MustReadClaims(t, signed.Body)["iss"] != providertest.Issuer ||
			signed.Header.Get("Content-Type") != "application/jwt" {
			t.Errorf("got %s, want a signed report of this issuer", signed.Header.Get("Content-Type"))
		}
		if p := laptop.Get("/account/activity"); !strings.Contains(p.Body, report) ||
			!strings.Contains(p.Body, "Signed in") {
			t.Error("got an activity page without the sign-in, or without the way to the report")
		}
		if p := eve.Get("/account/activity?after=%00%ff"); p.Status >= 500 {
			t.Errorf("got %d for a cursor that is none", p.Status)
		}
	})
}

// TestLogosOnlyWhereAllowed: on every page that shows a client, and its origin in img-src only then.
func TestLogosOnlyWhereAllowed(t *testing.T) {
	for _, allowed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			o := providertest.MustStart(t, func(c *provider.Config) { c.Registration.Logo = allowed })
			o.MustAddClient(
				"atlas",
				func(m *storage.Metadata) { m.LogoURI, m.Consent = "https://cdn.example/atlas.png", "" },
			)
			b := o.Browser()
			pages := map[string]providertest.Page{"sign-in": b.Get(providertest.AuthorizeURL("atlas"))}
			pages["consent"] = b.Submit(pages["sign-in"], "username", "alice", "password", providertest.Password)
			code := b.Submit(pages["consent"], "decision", "allow").ResponseParams(t).Get("code")
			o.Redeem("atlas", code)
			time.Sleep(time.Second)
			pages["choose"] = b.Get(providertest.AuthorizeURL("atlas", "prompt", "select_account"))
			pages["applications"] = b.Get("/account/applications")
			pages["sign-out"] = b.Get(providertest.EndSessionURL("client_id", "atlas"))
			for name, p := range pages {
				shown, policy := strings.Contains(
					p.Body,
					"https://cdn.example/atlas.png",
				), strings.Contains(
					p.Header.Get("Content-Security-Policy"),
					"data: https://cdn.example;",
				)
				if shown != allowed || policy != allowed && p.Status == http.StatusOK {
					t.Errorf("%s: got the logo %v and its origin %v, want %v", name, shown, policy, allowed)
				}
			}
		})
	}
}

func TestBreachedPasswordIsRefusedOnTheAccountPage(t *testing.T) {
	const stolen = "a password that was stolen"
	file := filepath.Join(t.TempDir(), "pwned.txt")
	line := fmt.Sprintf("%X:12\n", sha1.Sum([]byte(stolen)))
	if err := os.WriteFile(file, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	list, err := password.OpenBreachedList(file)
	if err != nil {
		t.Fatal(err)
	}
	o := providertest.MustStart(t, func(c *provider.Config) { c.PasswordRules.Breached = list })
	b := o.Browser()
	o.MustAddClient("atlas", nil)
	b.MustJoin("alice", "atlas")
	change := func(newPassword string) providertest.Page {
		return b.SubmitSecurity(
			"/account/password",
			"current-password", providertest.Password,
			"new-password", newPassword,
			"repeat-password", newPassword,
		)
	}
	if p := change(stolen); !strings.Contains(p.Body, "data breach") {
		t.Errorf("got %d, want the problem of a breached password", p.Status)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if p := change("a password that nobody stole"); p.Status != http.StatusInternalServerError {
		t.Errorf("without the list: got %d, want 500", p.Status)
	}
}
