package account_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/provider/providertest"
)

// TestOnlyOperatorsChangeAddressesWithoutMail: without mail nothing proves that a new address is the user's.
func TestOnlyOperatorsChangeAddressesWithoutMail(t *testing.T) {
	o := providertest.MustStart(t, nil)
	o.MustAddClient("shop", nil)
	b := o.Browser()
	b.MustSignIn("alice", "shop")
	p := b.Get("/account/security")
	if strings.Contains(p.Body, "/account/email") || !strings.Contains(p.Body, "alice@example.org") {
		t.Errorf("got %s, want the address without a form", p.Body)
	}
	p = b.SubmitSecurity("/account/email", "email", "mallory@example.org", "current-password", providertest.Password)
	if u, err := o.Store.User(t.Context(), "sub-alice"); err != nil || u.Email != "alice@example.org" ||
		p.Status != http.StatusNotFound {
		t.Errorf("got %d and address %q (%v), want 404 and the address as before", p.Status, u.Email, err)
	}
}

const (
	confirmSubject = "Confirm your new email address"
	emailSubject   = "Your email address was changed"
	newAddress     = "alice@new.example"
)

// requestEmail asks for a change of alice's address.
func requestEmail(b *providertest.Browser, address string) providertest.Page {
	return b.SubmitSecurity("/account/email", "email", address, "current-password", providertest.Password)
}

func mustEmail(t *testing.T, f *providertest.Fixture) string {
	t.Helper()
	u, err := f.Store.User(t.Context(), "sub-alice")
	if err != nil || !u.EmailVerified {
		t.Fatalf("got %+v, %v, want a verified address", u, err)
	}
	return u.Email
}

// TestAddressChangesWhenItsLinkIsFollowed by the user who asked for it, and only once. The former address gets a notice.
func TestAddressChangesWhenItsLinkIsFollowed(t *testing.T) {
	testMail(t, nil, func(t *testing.T, f *providertest.Fixture, box *mailbox) {
		b, other := f.Browser(), f.Browser()
		b.MustSignIn("alice", "atlas")
		other.MustSignIn("alice", "atlas")
		if p := requestEmail(b, newAddress); p.Status != http.StatusOK || !strings.Contains(p.Body, "We sent a link") {
			t.Fatalf("got %d at %s, want a notice", p.Status, p.Path)
		}
		waitForMail()
		if got := box.about(confirmSubject); len(got) != 1 || got[0].To != newAddress {
			t.Fatalf("got %+v, want one message to the new address", got)
		}
		link := box.mustFindLink(t, confirmSubject)
		f.MustAddUser("bob")
		bob := f.Browser()
		bob.MustSignIn("bob", "atlas")
		if p := bob.Get(link); p.Status != http.StatusGone {
			t.Errorf("got %d for another user, want 410", p.Status)
		}
		if p := f.Browser().Get(link); !strings.Contains(p.Body, `id="password"`) {
			t.Errorf("got %d at %s without a session, want the sign-in page", p.Status, p.Path)
		}
		page := b.Get(link)
		if mustEmail(t, f) != "alice@example.org" {
			t.Fatal("opening the link has changed the address")
		}
		if p := b.Submit(page, "scope", "others"); p.Status != http.StatusOK || mustEmail(t, f) != newAddress {
			t.Fatalf("got %d at %s, want the new address", p.Status, p.Path)
		}
		if !b.SignedIn("atlas") || other.SignedIn("atlas") {
			t.Error("this session has ended, or another has not")
		}
		waitForMail()
		if got := box.about(emailSubject); len(got) != 1 || got[0].To != "alice@example.org" {
			t.Errorf("got %+v, want one message to the former address", got)
		}
		if p := b.Submit(page); p.Status != http.StatusGone {
			t.Errorf("got %d for the used link, want 410", p.Status)
		}
	})
}

// TestAddressLinkIsRevoked by whatever shows it to be out of date.
func TestAddressLinkIsRevoked(t *testing.T) {
	for name, cause := range map[string]func(*testing.T, *providertest.Fixture, *providertest.Browser){
		"a day":        func(*testing.T, *providertest.Fixture, *providertest.Browser) { time.Sleep(25 * time.Hour) },
		"a newer link": func(_ *testing.T, _ *providertest.Fixture, b *providertest.Browser) { requestEmail(b, "x@new.example") },
		"a new password": func(_ *testing.T, _ *providertest.Fixture, b *providertest.Browser) {
			changePassword(b, providertest.Password)
		},
		"another user with the address": func(t *testing.T, f *providertest.Fixture, _ *providertest.Browser) {
			f.MustAddUser("bob")
			f.MustAdmin(http.MethodPatch, "/users/bob", `{"email":"`+newAddress+`"}`)
		},
		"another change": func(_ *testing.T, f *providertest.Fixture, b *providertest.Browser) {
			b.Submit(b.Get(f.MustMakeEmailLink("alice", "y@new.example")), "scope", "others")
		},
	} {
		t.Run(name, func(t *testing.T) {
			testMail(t, nil, func(t *testing.T, f *providertest.Fixture, box *mailbox) {
				b := f.Browser()
				b.MustSignIn("alice", "atlas")
				requestEmail(b, newAddress)
				waitForMail()
				link := box.mustFindLink(t, confirmSubject)
				page := b.Get(link)
				cause(t, f, b)
				if name == "a day" {
					b.MustSignIn("alice", "atlas")
					page = b.Get(link)
				} else {
					page = b.Submit(page, "scope", "others")
				}
				if page.Status != http.StatusGone || mustEmail(t, f) == newAddress {
					t.Errorf("got %d and %s, want 410", page.Status, mustEmail(t, f))
				}
			})
		})
	}
}

// TestFormerAddressUndoesTheChange: the attacker cannot change the address once more, the link brings the former one
// back, and what the attacker's address was mailed does nothing.
func TestFormerAddressUndoesTheChange(t *testing.T) {
	testMail(t, nil, func(t *testing.T, f *providertest.Fixture, box *mailbox) {
		attacker := f.Browser()
		attacker.MustSignIn("alice", "atlas")
		waitForMail()
		earlier := box.mustFindLink(t, signInSubject)
		attacker.Submit(attacker.Get(f.MustMakeEmailLink("alice", newAddress)), "scope", "others")
		changePassword(attacker, providertest.Password)
		waitForMail()
		attackers := box.mustFindLink(t, passwordSubject)
		if got := box.about(passwordSubject); got[0].To != newAddress {
			t.Fatalf("got a notice to %s, want it at the new address", got[0].To)
		}
		p := attacker.SubmitSecurity("/account/email", "email", "third@new.example", "current-password", chosen)
		if p.Status != http.StatusUnprocessableEntity || !strings.Contains(p.Body, "three days") {
			t.Errorf("got %d for one more change, want a refusal", p.Status)
		}
		if p := attacker.Get(f.MustMakeEmailLink("alice", "third@new.example")); p.Status != http.StatusGone {
			t.Errorf("got %d for a link to a third address, want 410", p.Status)
		}
		if p := f.Browser().Get(earlier); p.Status != http.StatusOK || !strings.Contains(p.Body, "alice@example.org") {
			t.Errorf("got %d for the notice from before the change, want a page that names the former address", p.Status)
		}
		victim := f.Browser()
		p = protect(victim, box.mustFindLink(t, emailSubject))
		if !strings.HasPrefix(p.Path, "/reset/") || mustEmail(t, f) != "alice@example.org" || attacker.SignedIn("atlas") {
			t.Fatalf("got %d at %s and %s, want the former address", p.Status, p.Path, mustEmail(t, f))
		}
		if p := f.Browser().Get(attackers); p.Status != http.StatusGone {
			t.Errorf("got %d for the link at the attacker's address, want 410", p.Status)
		}
		victim.Submit(p, "new-password", "another long new password", "repeat-password", "another long new password")
		if signsIn(t, f, chosen) || !signsIn(t, f, "another long new password") {
			t.Error("the attacker's password works, or the new one does not")
		}
	})
}

// TestRequestsForAnAddressAreLimited for each account and each address.
func TestRequestsForAnAddressAreLimited(t *testing.T) {
	testMail(t, nil, func(t *testing.T, f *providertest.Fixture, box *mailbox) {
		for _, user := range []string{"alice", "bob", "carol"} {
			if user != "alice" {
				f.MustAddUser(user)
			}
			b := f.Browser()
			b.MustSignIn(user, "atlas")
			for range 10 {
				requestEmail(b, newAddress)
			}
		}
		waitForMail()
		if got := len(box.about(confirmSubject)); got < 1 || got > 6 {
			t.Errorf("got %d messages to one address, want 1 to 6", got)
		}
	})
}
