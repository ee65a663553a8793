package account_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-id/curfew/provider"
	"github.com/curfew-id/curfew/provider/mail"
	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
)

// mailbox is the mail server: it takes all messages, or none while down is set.
type mailbox struct {
	mu       sync.Mutex
	messages []mail.Message
	attempts int
	down     bool
}

func (m *mailbox) Send(_ context.Context, message mail.Message) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.attempts++
	if m.down {
		return errors.New("connection refused")
	}
	m.messages = append(m.messages, message)
	return nil
}

func (m *mailbox) setDown(down bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = down
}

// received returns all messages that have arrived.
func (m *mailbox) received() []mail.Message {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.messages
}

// about returns the messages with that subject.
func (m *mailbox) about(subject string) (list []mail.Message) {
	for _, message := range m.received() {
		if message.Subject == subject {
			list = append(list, message)
		}
	}
	return list
}

var mailedURL = regexp.MustCompile(regexp.QuoteMeta(providertest.Issuer) + `(/[a-z-]+/[\w-]{40,})`)

// mustFindLink returns the path of the link in the last message with that subject.
func (m *mailbox) mustFindLink(t *testing.T, subject string) string {
	t.Helper()
	messages := m.about(subject)
	if len(messages) == 0 {
		t.Fatalf("got no message %q", subject)
	}
	last := messages[len(messages)-1]
	text, html := mailedURL.FindStringSubmatch(last.Text), mailedURL.FindStringSubmatch(last.HTML)
	if text == nil || html == nil || text[1] != html[1] {
		t.Fatalf("got text %q and HTML %q, want the same link in both", last.Text, last.HTML)
	}
	return text[1]
}

const resetSubject = "Set a new password"

// testMail runs a test with virtual time and a provider that sends its mail to box.
func testMail(t *testing.T, configure func(*provider.Config), test func(*testing.T, *providertest.Fixture, *mailbox)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		box := &mailbox{}
		f := providertest.MustStart(t, func(c *provider.Config) {
			c.Mail = box
			if configure != nil {
				configure(c)
			}
		})
		f.MustAddClient("atlas", nil)
		test(t, f, box)
		f.StopWork()
	})
}

// mustForget asks for a reset link and waits until the mail has been sent.
func mustForget(t *testing.T, f *providertest.Fixture, login string) providertest.Page {
	t.Helper()
	p := f.Browser().Post("/forgot", url.Values{"login": {login}})
	synctest.Wait()
	return p
}

const chosen = "a newly chosen long password"

// setPassword opens a reset link and sends its form.
func setPassword(f *providertest.Fixture, link string) providertest.Page {
	b := f.Browser()
	p := b.Get(link)
	if p.Status != http.StatusOK {
		return p
	}
	return b.Submit(p, "new-password", chosen, "repeat-password", chosen)
}

// signsIn reports whether alice gets a code with a password alone.
func signsIn(t *testing.T, f *providertest.Fixture, password string) bool {
	t.Helper()
	b := f.Browser()
	p := b.Submit(b.Get(providertest.AuthorizeURL("atlas")), "username", "alice", "password", password)
	return strings.Contains(p.Header.Get("Location"), "code=")
}

// TestForgottenPasswordIsResetByMail: opening the link changes nothing, it works once, and it ends all sessions.
func TestForgottenPasswordIsResetByMail(t *testing.T) {
	testMail(t, nil, func(t *testing.T, f *providertest.Fixture, box *mailbox) {
		old := f.Browser()
		old.MustSignIn("alice", "atlas")
		page := f.Browser().Get(providertest.AuthorizeURL("atlas"))
		if !strings.Contains(page.Body, `href="/forgot"`) {
			t.Errorf("got a sign-in page without the link to /forgot: %s", page.Body)
		}
		mustForget(t, f, "Alice@Example.org")
		if got := box.about(resetSubject); len(got) != 1 || got[0].To != "alice@example.org" {
			t.Fatalf("got %+v, want one message to alice", got)
		}
		link := box.mustFindLink(t, resetSubject)
		for range 3 { // a mail scanner
			if p := f.Browser().Get(link); p.Status != http.StatusOK {
				t.Fatalf("got %d for the link", p.Status)
			}
		}
		if !old.SignedIn("atlas") || !signsIn(t, f, providertest.Password) {
			t.Error("opening the link has changed something")
		}
		if p := setPassword(f, link); p.Status != http.StatusOK {
			t.Fatalf("got %d for the new password", p.Status)
		}
		if old.SignedIn("atlas") || signsIn(t, f, providertest.Password) || !signsIn(t, f, chosen) {
			t.Error("the old session or password works, or the new password does not")
		}
		if p := setPassword(f, link); p.Status != http.StatusGone {
			t.Errorf("got %d for the used link, want 410", p.Status)
		}
	})
}

// TestForgotAnswersTheSameForEverybody: the answer does not show whether there is an account. The time cannot either,
// because the user is looked up after the answer.
func TestForgotAnswersTheSameForEverybody(t *testing.T) {
	testMail(t, nil, func(t *testing.T, f *providertest.Fixture, box *mailbox) {
		for _, change := range []struct {
			name   string
			change func(*storage.User)
		}{
			{"carol", func(u *storage.User) { u.Disabled = true }},
			{"dave", func(u *storage.User) { u.EmailVerified = false }},
		} {
			f.MustAddUser(change.name)
			u, err := f.Store.User(t.Context(), "sub-"+change.name)
			if err != nil {
				t.Fatal(err)
			}
			change.change(&u)
			if err := f.Store.PutUser(t.Context(), u); err != nil {
				t.Fatal(err)
			}
		}
		known := mustForget(t, f, "alice")
		for _, login := range []string{"nobody", "nobody@example.org", "carol", "dave", "dave@example.org"} {
			if p := mustForget(t, f, login); p.Status != known.Status || p.Body != known.Body {
				t.Errorf("%s: got %d, want the same answer as for alice", login, p.Status)
			}
		}
		if got := len(box.received()); got != 1 {
			t.Errorf("got %d messages, want one to alice", got)
		}
	})
}

// TestForgotIsLimited for each account, by whichever name it is called, and for each network.
func TestForgotIsLimited(t *testing.T) {
	testMail(t, nil, func(t *testing.T, f *providertest.Fixture, box *mailbox) {
		statuses := map[int]int{}
		for i := range 40 {
			login := "alice"
			if i%2 == 0 {
				login = "alice@example.org"
			}
			statuses[mustForget(t, f, login).Status]++
		}
		if got := len(box.received()); got > 6 {
			t.Errorf("got %d messages to alice, want at most 6", got)
		}
		if statuses[http.StatusTooManyRequests] == 0 {
			t.Errorf("got %v, want 429 after a few", statuses)
		}
		if !signsIn(t, f, providertest.Password) {
			t.Error("requests for mail have locked alice out")
		}
		for i := range 100 {
			statuses[mustForget(t, f, "guess"+string(rune('a'+i%26))+string(rune('a'+i/26))).Status]++
		}
		if got := statuses[http.StatusOK]; got > 60 {
			t.Errorf("got %d requests of one address through, want at most 60", got)
		}
	})
}

// TestMailedLinkIsRevoked by everything that shows it to be out of date.
func TestMailedLinkIsRevoked(t *testing.T) {
	change := func(t *testing.T, f *providertest.Fixture, change func(*storage.User)) {
		t.Helper()
		u, err := f.Store.User(t.Context(), "sub-alice")
		if err != nil {
			t.Fatal(err)
		}
		change(&u)
		if err := f.Store.PutUser(t.Context(), u); err != nil {
			t.Fatal(err)
		}
	}
	for name, cause := range map[string]func(*testing.T, *providertest.Fixture){
		"an hour":    func(*testing.T, *providertest.Fixture) { time.Sleep(time.Hour) },
		"a new link": func(t *testing.T, f *providertest.Fixture) { mustForget(t, f, "alice") },
		"new address": func(t *testing.T, f *providertest.Fixture) {
			change(t, f, func(u *storage.User) { u.Email = "new@example.org" })
		},
		"address no longer verified": func(t *testing.T, f *providertest.Fixture) {
			change(t, f, func(u *storage.User) { u.EmailVerified = false })
		},
		"user disabled": func(_ *testing.T, f *providertest.Fixture) {
			f.MustAdmin(http.MethodPost, "/users/alice/disable", "")
		},
		"user removed": func(_ *testing.T, f *providertest.Fixture) { f.MustAdmin(http.MethodDelete, "/users/alice", "") },
		"new password by the administrator": func(_ *testing.T, f *providertest.Fixture) {
			f.MustAdmin(http.MethodPost, "/users/alice/password", `{"password":"`+chosen+`"}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			testMail(t, nil, func(t *testing.T, f *providertest.Fixture, box *mailbox) {
				mustForget(t, f, "alice")
				link := box.mustFindLink(t, resetSubject)
				b := f.Browser()
				page := b.Get(link)
				if page.Status != http.StatusOK {
					t.Fatalf("got %d for the new link", page.Status)
				}
				cause(t, f)
				p := b.Submit(page, "new-password", chosen, "repeat-password", chosen)
				if p.Status != http.StatusGone || f.Browser().Get(link).Status != http.StatusGone {
					t.Errorf("got %d for the form of the link, want 410", p.Status)
				}
			})
		})
	}
}

// TestRequestsForMailKeepTheLinkOfTheAdministrator: strangers cannot revoke it.
func TestRequestsForMailKeepTheLinkOfTheAdministrator(t *testing.T) {
	testMail(t, nil, func(t *testing.T, f *providertest.Fixture, _ *mailbox) {
		link := f.MustMakeResetLink("alice")
		mustForget(t, f, "alice")
		if p := setPassword(f, link); p.Status != http.StatusOK {
			t.Errorf("got %d for the administrator's link", p.Status)
		}
	})
}

// TestMailAloneNeverSignsIn where the policy demands more, or where the user has no password to lose.
func TestMailAloneNeverSignsIn(t *testing.T) {
	for _, require := range []string{"mfa", "passkey", "password", "group"} {
		t.Run(require, func(t *testing.T) {
			requires := func(c *provider.Config) { c.Authn = policy.Authn{Require: require} }
			if require == "group" {
				requires = func(c *provider.Config) {
					c.Authn.RequireGroups = policy.GroupRequirements{"admins": "mfa"}
				}
			}
			testMail(t, requires, func(t *testing.T, f *providertest.Fixture, box *mailbox) {
				if require == "password" { // alice signs in by other means
					u, err := f.Store.User(t.Context(), "sub-alice")
					if err != nil {
						t.Fatal(err)
					}
					u.Password = ""
					if err := f.Store.PutUser(t.Context(), u); err != nil {
						t.Fatal(err)
					}
				}
				if require == "group" {
					f.MustAdmin(http.MethodPut, "/groups/admins/members/alice", "")
				}
				mustForget(t, f, "alice")
				got := box.received()
				if len(got) != 1 || strings.Contains(got[0].Text, "/reset/") ||
					!strings.Contains(got[0].Text, "can’t be reset by email") {
					t.Errorf("got %+v, want a message without a link", got)
				}
			})
		})
	}
}

// TestResetByMailKeepsSecondFactors: they stay required.
func TestResetByMailKeepsSecondFactors(t *testing.T) {
	requires := func(c *provider.Config) { c.Authn = policy.Authn{Require: "mfa"} }
	testMail(t, requires, func(t *testing.T, f *providertest.Fixture, box *mailbox) {
		err := f.Store.ChangeFactors(t.Context(), "sub-alice", func(factors *storage.Factors) error {
			factors.Passkeys = []storage.Passkey{{ID: []byte("1"), Name: "key", Created: time.Now()}}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		mustForget(t, f, "alice")
		if p := setPassword(f, box.mustFindLink(t, resetSubject)); p.Status != http.StatusOK {
			t.Fatalf("got %d for the new password", p.Status)
		}
		if factors, err := f.Store.Factors(t.Context(), "sub-alice"); err != nil || len(factors.Passkeys) != 1 {
			t.Errorf("got %+v (%v), want the passkey", factors, err)
		}
		if signsIn(t, f, chosen) {
			t.Error("the new password alone signs in")
		}
	})
}

// TestMailWaitsForTheServer: while the mail server is down, nothing is lost. A message is given up when its link has
// expired.
func TestMailWaitsForTheServer(t *testing.T) {
	testMail(t, nil, func(t *testing.T, f *providertest.Fixture, box *mailbox) {
		box.setDown(true)
		mustForget(t, f, "alice")
		time.Sleep(5 * time.Minute)
		box.setDown(false)
		time.Sleep(11 * time.Minute)
		synctest.Wait()
		if got := len(box.about(resetSubject)); got != 1 {
			t.Fatalf("got %d messages after the server came back, want 1", got)
		}
		if p := setPassword(f, box.mustFindLink(t, resetSubject)); p.Status != http.StatusOK {
			t.Errorf("got %d for the link that came late", p.Status)
		}
		box.setDown(true)
		mustForget(t, f, "alice")
		time.Sleep(2 * time.Hour)
		box.setDown(false)
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if got := len(box.about(resetSubject)); got != 1 {
			t.Errorf("got %d messages, want none with an expired link", got)
		}
		failed, _, err := f.Store.ListEvents(t.Context(), storage.EventFilter{Kind: "mail.failed"}, storage.Page{})
		if err != nil || len(failed) != 1 {
			t.Errorf("got %d lines of failed mail (%v), want 1", len(failed), err)
		}
	})
}

// TestStoreHasNoMailedLink: a copy of the store does not contain the link while the message waits.
func TestStoreHasNoMailedLink(t *testing.T) {
	testMail(t, nil, func(t *testing.T, f *providertest.Fixture, box *mailbox) {
		box.setDown(true)
		mustForget(t, f, "alice")
		time.Sleep(time.Minute)
		f.StopWork()
		synctest.Wait()
		list, err := f.Store.ClaimMail(t.Context(), time.Now().Add(time.Hour), time.Minute, 10)
		if err != nil || len(list) != 1 {
			t.Fatalf("got %d messages (%v), want 1", len(list), err)
		}
		if content := string(list[0].Content); strings.Contains(content, "reset") || strings.Contains(content, "alice") {
			t.Errorf("got readable content: %q", content)
		}
	})
}
