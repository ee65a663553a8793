package account_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-id/curfew/provider"
	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
)

const (
	signInSubject   = "New sign-in to your account"
	passwordSubject = "Your password was changed"
	addedSubject    = "A sign-in method was added"
	removedSubject  = "A sign-in method was removed"
	codesSubject    = "New recovery codes"
)

// waitForMail waits until the outbox has sent what was queued with a change.
func waitForMail() {
	time.Sleep(time.Minute)
	synctest.Wait()
}

// changePassword has alice's password changed by a browser that is signed in.
func changePassword(b *providertest.Browser, password string) providertest.Page {
	return b.SubmitSecurity("/account/password", "current-password", password, "new-password", chosen,
		"repeat-password", chosen, "scope", "others")
}

func mustFactors(t *testing.T, f *providertest.Fixture) storage.Factors {
	t.Helper()
	factors, err := f.Store.Factors(t.Context(), "sub-alice")
	if err != nil {
		t.Fatal(err)
	}
	return factors
}

// protect opens the link of a notice and presses its button.
func protect(b *providertest.Browser, link string) providertest.Page {
	p := b.Get(link)
	if p.Status != http.StatusOK {
		return p
	}
	return b.Submit(p)
}

// TestEachChangeIsMailed with a link of its own, to the address of the user.
func TestEachChangeIsMailed(t *testing.T) {
	testMail(t, nil, func(t *testing.T, f *providertest.Fixture, box *mailbox) {
		b := f.Browser()
		b.UserAgent = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"
		b.MustSignIn("alice", "atlas")
		mustSetUpApp(t, b, b.Get("/account/factors/totp"))
		page := b.Get("/account/factors")
		_, form := page.Form(t)
		b.Post("/account/factors/recovery", url.Values{"interaction": form["interaction"]})
		b.Post("/account/factors", url.Values{"interaction": form["interaction"], "remove": {"totp"}})
		changePassword(b, providertest.Password)
		waitForMail()
		links := map[string]bool{}
		for _, subject := range []string{signInSubject, addedSubject, codesSubject, removedSubject, passwordSubject} {
			got := box.about(subject)
			if len(got) != 1 || got[0].To != "alice@example.org" ||
				!strings.Contains(got[0].Text, "Firefox on Linux, 192.0.2.7") {
				t.Errorf("%s: got %+v, want one message to alice that says where", subject, got)
				continue
			}
			links[box.mustFindLink(t, subject)] = true
		}
		if len(links) != 5 {
			t.Errorf("got %d links, want one for each message", len(links))
		}
	})
}

// TestKnownBrowserSignsInWithoutNotice, and a user without a verified address gets none.
func TestKnownBrowserSignsInWithoutNotice(t *testing.T) {
	testMail(t, nil, func(t *testing.T, f *providertest.Fixture, box *mailbox) {
		b := f.Browser()
		b.MustSignIn("alice", "atlas")
		f.MustAdmin(http.MethodPost, "/logouts", `{"user":"alice"}`)
		b.MustSignIn("alice", "atlas")
		f.MustAddUser("dave")
		u, err := f.Store.User(t.Context(), "sub-dave")
		if err != nil {
			t.Fatal(err)
		}
		u.EmailVerified = false
		if err := f.Store.PutUser(t.Context(), u); err != nil {
			t.Fatal(err)
		}
		f.Browser().MustSignIn("dave", "atlas")
		waitForMail()
		if got := box.received(); len(got) != 1 || got[0].To != "alice@example.org" {
			t.Errorf("got %d messages, want one for the first sign-in of alice", len(got))
		}
	})
}

// TestProgramThatSignsInFillsNoMailbox: it has no cookies, so each of its browsers is new.
func TestProgramThatSignsInFillsNoMailbox(t *testing.T) {
	testMail(t, nil, func(t *testing.T, f *providertest.Fixture, box *mailbox) {
		for range 30 {
			f.Browser().MustSignIn("alice", "atlas")
		}
		waitForMail()
		if got := len(box.about(signInSubject)); got < 1 || got > 6 {
			t.Errorf("got %d messages about 30 sign-ins, want 1 to 6", got)
		}
	})
}

// TestNotMeEndsEverythingAnAttackerHolds: sessions, background access, other links, what was added, and the password.
// Opening the link changes nothing, and it works once.
func TestNotMeEndsEverythingAnAttackerHolds(t *testing.T) {
	testMail(t, nil, func(t *testing.T, f *providertest.Fixture, box *mailbox) {
		own, attacker := f.Browser(), f.Browser()
		own.MustSignIn("alice", "atlas")
		waitForMail()
		tokens := attacker.MustJoin("alice", "atlas", "scope", "openid offline_access", "prompt", "consent")
		waitForMail()
		link := box.mustFindLink(t, signInSubject)
		reset := f.MustMakeResetLink("alice")
		err := f.Store.ChangeFactors(t.Context(), "sub-alice", func(factors *storage.Factors) error {
			factors.Passkeys = []storage.Passkey{{ID: []byte("old"), Created: time.Now().Add(-time.Hour)}}
			factors.Passkeys = append(factors.Passkeys, storage.Passkey{ID: []byte("new"), Created: time.Now()})
			factors.RememberBrowser(storage.RememberedBrowser{Created: time.Now(), Expires: time.Now().Add(time.Hour)})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		identity := storage.Identity{Issuer: "https://up.example", Subject: "1", User: "sub-alice", Created: time.Now()}
		if err := f.Store.Link(t.Context(), identity, nil, storage.Event{At: time.Now(), Kind: "test"}); err != nil {
			t.Fatal(err)
		}
		for range 3 { // a mail scanner
			if p := f.Browser().Get(link); p.Status != http.StatusOK {
				t.Fatalf("got %d for the link", p.Status)
			}
		}
		if !own.SignedIn("atlas") || !attacker.SignedIn("atlas") || len(mustFactors(t, f).Passkeys) != 2 {
			t.Fatal("opening the link has changed something")
		}
		victim := f.Browser()
		p := protect(victim, link)
		if p.Status != http.StatusOK || !strings.HasPrefix(p.Path, "/reset/") {
			t.Fatalf("got %d at %s, want the page for a new password", p.Status, p.Path)
		}
		refreshed := f.Token("atlas", url.Values{
			"grant_type": {"refresh_token"}, "refresh_token": {tokens.RefreshToken},
		})
		for what, holds := range map[string]bool{
			"own session":        own.SignedIn("atlas"),
			"attacker's session": attacker.SignedIn("atlas"),
			"background access":  refreshed.AccessToken != "",
			"password":           signsIn(t, f, providertest.Password),
			"reset link":         f.Browser().Get(reset).Status == http.StatusOK,
			"link again":         f.Browser().Get(link).Status == http.StatusOK,
		} {
			if holds {
				t.Errorf("%s still works", what)
			}
		}
		factors := mustFactors(t, f)
		isNew := func(k storage.Passkey) bool { return string(k.ID) == "new" }
		if len(factors.Passkeys) != 1 || slices.ContainsFunc(factors.Passkeys, isNew) || len(factors.Browsers) != 0 {
			t.Errorf("got %+v, want the old passkey only", factors)
		}
		linked, err := f.Store.ListIdentities(t.Context(), "sub-alice")
		if err != nil || len(linked) != 0 {
			t.Errorf("got %d linked accounts (%v), want none", len(linked), err)
		}
		if p := victim.Submit(p, "new-password", chosen, "repeat-password", chosen); p.Status != http.StatusOK {
			t.Errorf("got %d for the new password", p.Status)
		}
	})
}

// TestNoticeOutlivesTheAttackersNewPassword: a link from before it still protects the account, for 72 hours.
func TestNoticeOutlivesTheAttackersNewPassword(t *testing.T) {
	for hours, want := range map[int]int{71: http.StatusOK, 73: http.StatusGone} {
		testMail(t, nil, func(t *testing.T, f *providertest.Fixture, box *mailbox) {
			attacker := f.Browser()
			attacker.MustSignIn("alice", "atlas")
			waitForMail()
			link := box.mustFindLink(t, signInSubject)
			if p := changePassword(attacker, providertest.Password); p.Status != http.StatusOK {
				t.Fatalf("got %d for the new password", p.Status)
			}
			time.Sleep(time.Duration(hours) * time.Hour)
			if p := protect(f.Browser(), link); p.Status != want {
				t.Errorf("after %d hours: got %d, want %d", hours, p.Status, want)
			}
			if got := signsIn(t, f, chosen); got != (want == http.StatusGone) {
				t.Errorf("after %d hours: got the attacker's password working: %v", hours, got)
			}
		})
	}
}

// TestNotMeAloneNeverSignsIn: a mailbox without the second factor gives no access, also if the factor is one that the
// link removes.
func TestNotMeAloneNeverSignsIn(t *testing.T) {
	for _, require := range []string{"", "mfa"} {
		requires := func(c *provider.Config) { c.Authn.Require = require }
		testMail(t, requires, func(t *testing.T, f *providertest.Fixture, box *mailbox) {
			b := f.Browser()
			page := b.Submit(b.Get(providertest.AuthorizeURL("atlas")), "username", "alice", "password", providertest.Password)
			if require == "" {
				page = b.Get("/account/factors/totp")
			}
			mustSetUpApp(t, b, page)
			if mustFactors(t, f).TOTP == nil {
				t.Fatal("got no authenticator app")
			}
			waitForMail()
			p := protect(f.Browser(), box.mustFindLink(t, signInSubject))
			if p.Status != http.StatusOK || !strings.Contains(p.Body, "Ask your administrator") {
				t.Errorf("%q: got %d at %s, want a page without a new password", require, p.Status, p.Path)
			}
			if mustFactors(t, f).TOTP != nil {
				t.Error("the app that was added with the sign-in is still there")
			}
			mustForget(t, f, "alice")
			waitForMail()
			if got := len(box.about(resetSubject)); got != 0 {
				t.Errorf("got %d links to the mailbox that set a password", got)
			}
		})
	}
}

// TestNotMeLinkDiesWithItsUserAndAddress.
func TestNotMeLinkDiesWithItsUserAndAddress(t *testing.T) {
	for name, path := range map[string]string{
		"disabled": "POST /users/alice/disable", "removed": "DELETE /users/alice", "address": "PATCH /users/alice",
	} {
		testMail(t, nil, func(t *testing.T, f *providertest.Fixture, box *mailbox) {
			f.Browser().MustSignIn("alice", "atlas")
			waitForMail()
			b := f.Browser()
			page := b.Get(box.mustFindLink(t, signInSubject))
			method, target, _ := strings.Cut(path, " ")
			body := ""
			if method == http.MethodPatch {
				body = `{"email":"new@example.org"}`
			}
			f.MustAdmin(method, target, body)
			if p := b.Submit(page); p.Status != http.StatusGone {
				t.Errorf("%s: got %d for the form of the link, want 410", name, p.Status)
			}
		})
	}
}

// TestNoticeIsInTheLanguageOfTheUser, not in that of the browser from which somebody else acts.
func TestNoticeIsInTheLanguageOfTheUser(t *testing.T) {
	testMail(t, nil, func(t *testing.T, f *providertest.Fixture, box *mailbox) {
		german := http.Header{"Accept-Language": {"de-AT"}}
		b := f.Browser()
		_, form := b.Follow(b.Do(http.MethodGet, providertest.AuthorizeURL("atlas"), nil, german)).Form(t)
		form.Set("username", "alice")
		form.Set("password", providertest.Password)
		page := b.Follow(b.Do(http.MethodGet, providertest.AuthorizeURL("atlas"), nil, german))
		action, _ := page.Form(t)
		b.Do(http.MethodPost, action, form, german)
		f.Browser().MustSignIn("alice", "atlas") // in English
		waitForMail()
		if got := len(box.about("Neue Anmeldung bei Ihrem Konto")); got != 1 {
			t.Errorf("got %d messages in German among %d, want one", got, len(box.received()))
		}
	})
}
