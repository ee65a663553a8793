package account_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-id/curfew/provider"
	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/provider/providertest"
)

const (
	invitationSubject = "Your new account"
	signUpSubject     = "Create your account"
	knownSubject      = "You already have an account"
)

// mustInvite adds the user carol without a password and returns the path of the link that was mailed.
func mustInvite(t *testing.T, f *providertest.Fixture, box *mailbox) string {
	t.Helper()
	f.MustAdmin(http.MethodPost, "/users",
		`{"preferred_username":"carol","email":"carol@example.org","email_verified":false}`)
	f.MustAdmin(http.MethodPost, "/invitations", `{"user":"carol"}`)
	waitForMail()
	return box.mustFindLink(t, invitationSubject)
}

// choosePassword opens the link of a new user and sends its form.
func choosePassword(b *providertest.Browser, link string) providertest.Page {
	p := b.Get(link)
	if p.Status != http.StatusOK {
		return p
	}
	return b.Submit(p, "new-password", chosen, "repeat-password", chosen)
}

// TestInvitedUserSetsPasswordAndIsSignedIn: opening the link changes nothing, it works once, and it verifies the
// address. No message warns of the first sign-in.
func TestInvitedUserSetsPasswordAndIsSignedIn(t *testing.T) {
	testMail(t, nil, func(t *testing.T, f *providertest.Fixture, box *mailbox) {
		link := mustInvite(t, f, box)
		b := f.Browser()
		for range 3 {
			if p := f.Browser().Get(link); p.Status != http.StatusOK || !strings.Contains(p.Body, "carol") {
				t.Fatalf("got %d for the link", p.Status)
			}
		}
		u, err := f.Store.UserByLogin(t.Context(), "carol")
		if err != nil || u.EmailVerified || u.Password != "" {
			t.Fatalf("got %+v, %v, want nothing changed", u, err)
		}
		if p := choosePassword(b, link); p.Status != http.StatusOK || !strings.HasPrefix(p.Path, "/account") {
			t.Fatalf("got %d at %s, want the account page", p.Status, p.Path)
		}
		u, err = f.Store.UserByLogin(t.Context(), "carol@example.org")
		if err != nil || !u.EmailVerified || !b.SignedIn("atlas") {
			t.Errorf("got %+v, %v, want a verified address and a session", u, err)
		}
		if p := f.Browser().Get(link); p.Status != http.StatusGone {
			t.Errorf("got %d for the used link, want 410", p.Status)
		}
		waitForMail()
		if got := len(box.received()); got != 1 {
			t.Errorf("got %d messages, want the invitation only", got)
		}
	})
}

// TestInvitationAloneNeverSignsIn where the policy demands a second factor.
func TestInvitationAloneNeverSignsIn(t *testing.T) {
	requires := func(c *provider.Config) { c.Authn.Require = "mfa" }
	testMail(t, requires, func(t *testing.T, f *providertest.Fixture, box *mailbox) {
		b := f.Browser()
		p := choosePassword(b, mustInvite(t, f, box))
		if !strings.Contains(p.Body, `id="password"`) || b.Cookies["__Host-curfew-session"] != "" {
			t.Errorf("got %d at %s, want the sign-in page", p.Status, p.Path)
		}
	})
}

// TestInvitationIsRevoked by whatever shows it to be out of date.
func TestInvitationIsRevoked(t *testing.T) {
	for name, cause := range map[string]func(*providertest.Fixture){
		"a week":    func(*providertest.Fixture) { time.Sleep(8 * 24 * time.Hour) },
		"a new one": func(f *providertest.Fixture) { f.MustAdmin(http.MethodPost, "/invitations", `{"user":"carol"}`) },
		"disabled":  func(f *providertest.Fixture) { f.MustAdmin(http.MethodPost, "/users/carol/disable", "") },
		"removed":   func(f *providertest.Fixture) { f.MustAdmin(http.MethodDelete, "/users/carol", "") },
		"a password": func(f *providertest.Fixture) {
			f.MustAdmin(http.MethodPost, "/users/carol/password", `{"password":"`+chosen+`"}`)
		},
		"another address": func(f *providertest.Fixture) {
			f.MustAdmin(http.MethodPatch, "/users/carol", `{"email":"c@new.example"}`)
		},
	} {
		testMail(t, nil, func(t *testing.T, f *providertest.Fixture, box *mailbox) {
			b := f.Browser()
			page := b.Get(mustInvite(t, f, box))
			cause(f)
			p := b.Submit(page, "new-password", chosen, "repeat-password", chosen)
			if name == "a week" {
				p = b.Get(page.Path)
			}
			if p.Status != http.StatusGone {
				t.Errorf("%s: got %d, want 410", name, p.Status)
			}
		})
	}
}

// TestOnlyUsersWithoutPasswordAreInvited, and only if Curfew sends mail.
func TestOnlyUsersWithoutPasswordAreInvited(t *testing.T) {
	testMail(t, nil, func(t *testing.T, f *providertest.Fixture, _ *mailbox) {
		for body, code := range map[string]string{
			`{"user":"alice"}`:                   "has_password",
			`{"user":"nobody"}`:                  "not_found",
			`{"email":"new@example.org"}`:        "sign_up_off",
			`{}`:                                 "invalid",
			`{"user":"alice","email":"a@b.org"}`: "invalid",
		} {
			if p := f.Admin(http.MethodPost, "/invitations", body); !strings.Contains(p.Body, code) {
				t.Errorf("%s: got %d %s, want %s", body, p.Status, p.Body, code)
			}
		}
	})
	f := providertest.MustStart(t, nil)
	if p := f.Admin(http.MethodPost, "/invitations", `{"user":"alice"}`); !strings.Contains(p.Body, "no_mail") {
		t.Errorf("got %d %s without mail, want no_mail", p.Status, p.Body)
	}
}

func openSignUp(domains ...string) func(*provider.Config) {
	return func(c *provider.Config) { c.SignUp = policy.SignUp{Mode: policy.SignUpOpen, Domains: domains} }
}

// mustAsk asks for an account and waits until the mail was sent.
func mustAsk(t *testing.T, f *providertest.Fixture, email string) providertest.Page {
	t.Helper()
	p := f.Browser().Post("/signup", url.Values{"email": {email}})
	synctest.Wait()
	return p
}

// TestSignUpMakesAnAccountWithAVerifiedAddress when the mailed link is followed, and not before.
func TestSignUpMakesAnAccountWithAVerifiedAddress(t *testing.T) {
	testMail(t, openSignUp(), func(t *testing.T, f *providertest.Fixture, box *mailbox) {
		if page := f.Browser().Get(providertest.AuthorizeURL("atlas")); page.Link("sign-up") != "/signup" {
			t.Errorf("got a sign-in page without a link to /signup:\n%s", page.Body)
		}
		mustAsk(t, f, "eve@new.example")
		mustAsk(t, f, "eve@new.example")
		link := box.mustFindLink(t, signUpSubject)
		first := mailedURL.FindStringSubmatch(box.about(signUpSubject)[0].Text)[1]
		if _, err := f.Store.UserByLogin(t.Context(), "eve@new.example"); err == nil {
			t.Fatal("got a user before the link was followed")
		}
		b := f.Browser()
		if p := choosePassword(b, link); p.Status != http.StatusOK || !b.SignedIn("atlas") {
			t.Fatalf("got %d at %s, want a session", p.Status, p.Path)
		}
		u, err := f.Store.UserByLogin(t.Context(), "eve@new.example")
		if err != nil || !u.EmailVerified || u.Name != "eve@new.example" {
			t.Errorf("got %+v, %v, want a verified address", u, err)
		}
		for _, used := range []string{link, first} {
			if p := choosePassword(f.Browser(), used); p.Status != http.StatusGone {
				t.Errorf("got %d for a link after the account was made, want 410", p.Status)
			}
		}
	})
}

// TestSignUpShowsNoAccounts: the answer is the same for an address that has an account. Its owner gets a message
// without a link that makes one.
func TestSignUpShowsNoAccounts(t *testing.T) {
	testMail(t, openSignUp(), func(t *testing.T, f *providertest.Fixture, box *mailbox) {
		fresh := mustAsk(t, f, "new@example.org")
		for _, email := range []string{"alice@example.org", "Alice@Example.org"} {
			if p := mustAsk(t, f, email); p.Status != fresh.Status || p.Body != fresh.Body {
				t.Errorf("got %d for %s, want the same answer as for a new address", p.Status, email)
			}
		}
		known := box.about(knownSubject)
		if len(known) != 2 || strings.Contains(known[0].Text, "/signup/") {
			t.Errorf("got %+v, want messages without a link that makes an account", known)
		}
	})
}

// TestSignUpIsLimited for each address and each network.
func TestSignUpIsLimited(t *testing.T) {
	testMail(t, openSignUp(), func(t *testing.T, f *providertest.Fixture, box *mailbox) {
		for range 20 {
			mustAsk(t, f, "new@example.org")
		}
		if got := len(box.about(signUpSubject)); got > 6 {
			t.Errorf("got %d messages to one address, want at most 6", got)
		}
		taken := 0
		for i := range 100 {
			if mustAsk(t, f, fmt.Sprintf("new%d@example.org", i)).Status == http.StatusOK {
				taken++
			}
		}
		if taken > 60 {
			t.Errorf("got %d requests of one network through, want at most 60", taken)
		}
	})
}

// TestSignUpTakesAllowedDomainsOnly, and is off by default. With invitation only operators send links.
func TestSignUpTakesAllowedDomainsOnly(t *testing.T) {
	testMail(t, openSignUp("corp.example"), func(t *testing.T, f *providertest.Fixture, box *mailbox) {
		for email, want := range map[string]int{
			"a@CORP.example":      http.StatusOK,
			"a@sub.corp.example":  http.StatusUnprocessableEntity,
			"a@evilcorp.example":  http.StatusUnprocessableEntity,
			"a@corp.example@x.de": http.StatusUnprocessableEntity,
			"not an address":      http.StatusUnprocessableEntity,
		} {
			if p := mustAsk(t, f, email); p.Status != want {
				t.Errorf("%s: got %d, want %d", email, p.Status, want)
			}
		}
		if got := len(box.about(signUpSubject)); got != 1 {
			t.Errorf("got %d messages, want one", got)
		}
	})
	for mode, want := range map[string]int{"": http.StatusConflict, policy.SignUpInvitation: http.StatusCreated} {
		by := func(c *provider.Config) { c.SignUp.Mode = mode }
		testMail(t, by, func(t *testing.T, f *providertest.Fixture, box *mailbox) {
			if p := mustAsk(t, f, "a@corp.example"); p.Status != http.StatusNotFound {
				t.Errorf("%q: got %d for /signup, want 404", mode, p.Status)
			}
			p := f.Admin(http.MethodPost, "/invitations", `{"email":"ben@corp.example"}`)
			if p.Status != want {
				t.Errorf("%q: got %d %s, want %d", mode, p.Status, p.Body, want)
			}
			if want != http.StatusCreated {
				return
			}
			waitForMail()
			b := f.Browser()
			choosePassword(b, box.mustFindLink(t, invitationSubject))
			if u, err := f.Store.UserByLogin(t.Context(), "ben@corp.example"); err != nil || !b.SignedIn("atlas") {
				t.Errorf("got %+v, %v, want an account and a session", u, err)
			}
		})
	}
}
