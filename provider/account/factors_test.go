package account_test

import (
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/curfew-id/curfew/provider"
	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/provider/providertest"
)

var secretPattern = regexp.MustCompile(`id="secret"><code>([^<]*)</code>`)

// mustSetUpApp sends the first code of a new authenticator app, with more fields of the form, and returns the answer.
func mustSetUpApp(t *testing.T, b *providertest.Browser, page providertest.Page, more ...string) providertest.Page {
	t.Helper()
	match := secretPattern.FindStringSubmatch(page.Body)
	if match == nil {
		t.Fatalf("got %d without a secret:\n%s", page.Status, page.Body)
	}
	code, err := totp.GenerateCode(strings.ReplaceAll(html.UnescapeString(match[1]), " ", ""), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return b.Submit(page, append([]string{"code", code}, more...)...)
}

// groupWithMFA is the group whose members need two factors.
const groupWithMFA = "admins"

func mustStartFactors(t *testing.T, require string, test func(*testing.T, *providertest.Fixture)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := providertest.MustStart(t, func(c *provider.Config) {
			c.Authn.Require = require
			c.Authn.RequireGroups = policy.GroupRequirements{groupWithMFA: "mfa"}
		})
		f.MustAddClient("atlas", nil)
		test(t, f)
		f.StopWork()
	})
}

// TestNewFactorEndsOtherSessionsIfAsked (ASVS 7.4.3), and this one stays.
func TestNewFactorEndsOtherSessionsIfAsked(t *testing.T) {
	for _, end := range []bool{true, false} {
		mustStartFactors(t, "", func(t *testing.T, f *providertest.Fixture) {
			own, other := f.Browser(), f.Browser()
			own.MustSignIn("alice", "atlas")
			other.MustSignIn("alice", "atlas")
			fields := []string{}
			if end {
				fields = append(fields, "end-sessions", "on", "end-background", "on")
			}
			mustSetUpApp(t, own, own.Get("/account/factors/totp"), fields...)
			if !own.SignedIn("atlas") || other.SignedIn("atlas") == end {
				t.Errorf("ending %v: got own %v, other %v", end, own.SignedIn("atlas"), other.SignedIn("atlas"))
			}
		})
	}
}

// TestFactorIsNotAddedFromAnEndedSession: an enrolment in flight dies with its session.
func TestFactorIsNotAddedFromAnEndedSession(t *testing.T) {
	mustStartFactors(t, "", func(t *testing.T, f *providertest.Fixture) {
		b := f.Browser()
		b.MustSignIn("alice", "atlas")
		page := b.Get("/account/factors/totp")
		f.MustAdmin(http.MethodPost, "/logouts", `{"user":"alice"}`)
		mustSetUpApp(t, b, page)
		b.MustSignIn("alice", "atlas")
		mustSetUpApp(t, b, page) // a page of the ended session, in a new one
		factors, err := f.Store.Factors(t.Context(), "sub-alice")
		if err != nil || factors.TOTP != nil {
			t.Errorf("got %+v, %v, want no factor", factors, err)
		}
	})
}

// TestOldSignInChangesNoFactor: fifteen minutes after the sign-in the user signs in again first.
func TestOldSignInChangesNoFactor(t *testing.T) {
	mustStartFactors(t, "", func(t *testing.T, f *providertest.Fixture) {
		b := f.Browser()
		b.MustSignIn("alice", "atlas")
		page := b.Get("/account/factors/totp")
		time.Sleep(15 * time.Minute)
		mustSetUpApp(t, b, page)
		if got := b.Get("/account/factors"); !strings.Contains(got.Body, `type="password"`) {
			t.Errorf("got %d, want the sign-in page:\n%s", got.Status, got.Body)
		}
		factors, err := f.Store.Factors(t.Context(), "sub-alice")
		if err != nil || factors.TOTP != nil {
			t.Errorf("got %+v, %v, want no factor", factors, err)
		}
	})
}

// TestLastFactorOfAMemberCannotGoWhileTheGroupNeedsIt.
func TestLastFactorOfAMemberCannotGoWhileTheGroupNeedsIt(t *testing.T) {
	mustStartFactors(t, "password", func(t *testing.T, f *providertest.Fixture) {
		f.MustAdmin(http.MethodPut, "/groups/"+groupWithMFA+"/members/alice", "")
		b := f.Browser()
		login := b.Get(providertest.AuthorizeURL("atlas"))
		mustSetUpApp(t, b, b.Submit(login, "username", "alice", "password", providertest.Password))
		remove := func() {
			_, form := b.Get("/account/factors").Form(t)
			form.Set("remove", "totp")
			b.Post("/account/factors", form)
		}
		remove()
		if factors, err := f.Store.Factors(t.Context(), "sub-alice"); err != nil || factors.TOTP == nil {
			t.Errorf("got %+v, %v of a member, want the app kept", factors, err)
		}
		f.MustAdmin(http.MethodDelete, "/groups/"+groupWithMFA+"/members/alice", "")
		remove()
		if factors, err := f.Store.Factors(t.Context(), "sub-alice"); err != nil || factors.TOTP != nil {
			t.Errorf("got %+v, %v after the user left the group, want the app removed", factors, err)
		}
	})
}

// TestLastFactorCannotGoWhilePolicyNeedsIt.
func TestLastFactorCannotGoWhilePolicyNeedsIt(t *testing.T) {
	for require, want := range map[string]bool{"mfa": true, "password": false} {
		mustStartFactors(t, require, func(t *testing.T, f *providertest.Fixture) {
			b := f.Browser()
			login := b.Get(providertest.AuthorizeURL("atlas"))
			page := b.Submit(login, "username", "alice", "password", providertest.Password)
			if require == "password" {
				page = b.Get("/account/factors/totp")
			}
			mustSetUpApp(t, b, page)
			_, form := b.Get("/account/factors").Form(t)
			form.Set("remove", "totp")
			b.Post("/account/factors", form)
			factors, err := f.Store.Factors(t.Context(), "sub-alice")
			if err != nil || (factors.TOTP != nil) != want {
				t.Errorf("require %s: got %+v, %v, want the app kept: %v", require, factors, err, want)
			}
		})
	}
}
