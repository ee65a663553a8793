package account_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/provider/providertest"
)

// mustMakeEnrolLink makes an enrolment link for alice and returns its path.
func mustMakeEnrolLink(t *testing.T, f *providertest.Fixture) string {
	t.Helper()
	var link struct {
		URL string `json:"url"`
	}
	p := f.MustAdmin(http.MethodPost, "/users/alice/enrol-link", "{}")
	if err := json.Unmarshal([]byte(p.Body), &link); err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(link.URL, providertest.Issuer)
}

// mustOpenEnrolLink opens an enrolment link, gives the password and returns the page that sets up the app.
func mustOpenEnrolLink(t *testing.T, b *providertest.Browser, link string) providertest.Page {
	t.Helper()
	p := b.Submit(b.Get(link), "password", providertest.Password)
	if !secretPattern.MatchString(p.Body) {
		t.Fatalf("got %d %s, want the page that sets up an app:\n%s", p.Status, p.Path, p.Body)
	}
	return p
}

// TestEnrolmentLinkSetsUpAFactorOnce: it needs the password, ends all sessions, shows recovery codes, and is in the
// audit trail.
func TestEnrolmentLinkSetsUpAFactorOnce(t *testing.T) {
	mustStartFactors(t, "password", func(t *testing.T, f *providertest.Fixture) {
		lost := f.Browser()
		lost.MustSignIn("alice", "atlas")
		link := mustMakeEnrolLink(t, f)
		b := f.Browser()
		wrong := b.Submit(b.Get(link), "password", "not the password")
		if wrong.Status != http.StatusUnprocessableEntity || secretPattern.MatchString(wrong.Body) {
			t.Errorf("got %d for a wrong password, want the form again", wrong.Status)
		}
		page := mustOpenEnrolLink(t, b, link)
		second := mustOpenEnrolLink(t, f.Browser(), link) // Opening the link does not use it up.
		done := mustSetUpApp(t, b, page)
		if done.Status != http.StatusOK || !strings.Contains(done.Body, `id="codes"`) {
			t.Fatalf("got %d %s, want recovery codes", done.Status, done.Body)
		}
		factors, err := f.Store.Factors(t.Context(), "sub-alice")
		if err != nil || factors.TOTP == nil || len(factors.RecoveryCodes) != 10 {
			t.Errorf("got %+v, %v, want an app and recovery codes", factors, err)
		}
		if lost.SignedIn("atlas") {
			t.Error("got a session that began before still active")
		}
		if p := b.Get(link); p.Status != http.StatusGone {
			t.Errorf("got %d for the used link, want 410", p.Status)
		}
		if p := mustSetUpApp(t, f.Browser(), second); p.Status == http.StatusOK {
			t.Errorf("got %d for a page of the used link", p.Status)
		}
		trail := f.MustAdmin(http.MethodGet, "/events?limit=100", "").Body
		for _, line := range []string{"user.enrol_link", "user.factor_added", "enrolment link"} {
			if !strings.Contains(trail, line) {
				t.Errorf("got no %s in the audit trail", line)
			}
		}
	})
}

// TestEnrolmentLinkIsRevoked by an older cause than its use: a newer link, another password, a disabled user, time.
func TestEnrolmentLinkIsRevoked(t *testing.T) {
	for name, revoke := range map[string]func(*testing.T, *providertest.Fixture){
		"a newer link": func(t *testing.T, f *providertest.Fixture) { mustMakeEnrolLink(t, f) },
		"password": func(_ *testing.T, f *providertest.Fixture) {
			f.MustAdmin(http.MethodPost, "/users/alice/password", `{"password": "another long password"}`)
		},
		"factors removed": func(_ *testing.T, f *providertest.Fixture) {
			f.MustAdmin(http.MethodDelete, "/users/alice/factors/all", "")
		},
		"user disabled": func(_ *testing.T, f *providertest.Fixture) {
			f.MustAdmin(http.MethodPost, "/users/alice/disable", "")
		},
		"time": func(*testing.T, *providertest.Fixture) { time.Sleep(time.Hour + time.Second) },
	} {
		mustStartFactors(t, "password", func(t *testing.T, f *providertest.Fixture) {
			link := mustMakeEnrolLink(t, f)
			b := f.Browser()
			page := mustOpenEnrolLink(t, b, link)
			revoke(t, f)
			if p := b.Get(link); p.Status != http.StatusGone {
				t.Errorf("%s: got %d for the link, want 410", name, p.Status)
			}
			if p := mustSetUpApp(t, b, page); p.Status == http.StatusOK {
				t.Errorf("%s: got %d for a page that was left open", name, p.Status)
			}
		})
	}
}

// TestEnrolmentLinkIsNoOtherLink: neither kind of link works at the pages of the other.
func TestEnrolmentLinkIsNoOtherLink(t *testing.T) {
	mustStartFactors(t, "password", func(t *testing.T, f *providertest.Fixture) {
		enrol, reset := mustMakeEnrolLink(t, f), f.MustMakeResetLink("alice")
		for _, path := range []string{
			strings.Replace(enrol, "/enrol/", "/reset/", 1),
			strings.Replace(reset, "/reset/", "/enrol/", 1),
		} {
			if p := f.Browser().Get(path); p.Status != http.StatusGone {
				t.Errorf("%s: got %d, want 410", path, p.Status)
			}
		}
		// The page after the password belongs to the browser that gave it.
		page := mustOpenEnrolLink(t, f.Browser(), enrol)
		if p := f.Browser().Get(page.Path); p.Status == http.StatusOK {
			t.Error("got the page of another browser")
		}
	})
}

// TestUserWithoutAPasswordEnrolsAPasskeyByLink: an app alone would not sign the user in.
func TestUserWithoutAPasswordEnrolsAPasskeyByLink(t *testing.T) {
	mustStartFactors(t, "password", func(t *testing.T, f *providertest.Fixture) {
		user, err := f.Store.User(t.Context(), "sub-alice")
		if err != nil {
			t.Fatal(err)
		}
		user.Password = ""
		if err := f.Store.PutUser(t.Context(), user); err != nil {
			t.Fatal(err)
		}
		p := f.Browser().Get(mustMakeEnrolLink(t, f))
		if !strings.Contains(p.Body, `data-passkey="create"`) || strings.Contains(p.Body, pathOfTOTP) {
			t.Errorf("got %d %s, want the page that sets up a passkey only", p.Status, p.Body)
		}
	})
}

// pathOfTOTP is in the link to the page that sets up an app.
const pathOfTOTP = "/totp/"
