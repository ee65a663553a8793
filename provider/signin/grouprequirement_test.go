package signin_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/provider"
	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/provider/providertest"
)

func requireMFAOfAdmins(c *provider.Config) {
	c.Authn = policy.Authn{Require: "password", RequireGroups: policy.GroupRequirements{"admins": "mfa"}}
}

// TestMemberOfAGroupNeedsItsFactorAtEveryApp: the group requires two factors wherever its members sign in, and of
// nobody else.
func TestMemberOfAGroupNeedsItsFactorAtEveryApp(t *testing.T) {
	inBubble(t, requireMFAOfAdmins, func(t *testing.T, f *providertest.Fixture) {
		f.MustAddUser("bob")
		f.MustAdmin(http.MethodPut, "/groups/admins/members/alice", "")
		f.Browser().MustSignIn("bob", "atlas")

		b := f.Browser()
		page := mustSendPassword(b)
		secret := mustReadSecret(t, page)
		if b.Cookies["__Host-curfew-session"] != "" {
			t.Fatal("got a session of a member before the second factor")
		}
		codes := b.Submit(page, "code", mustCode(t, secret, time.Now()))
		answer := b.Get(mustMatch(t, codes, `id="continue" class="button primary" href="([^"]*)"`))
		if answer.ResponseParams(t).Get("code") == "" {
			t.Fatalf("got %d, want a code:\n%s", answer.Status, answer.Body)
		}
	})
}

// TestSessionOfAUserWhoJoinsAGroupIsAskedForItsFactor: at apps, on the account pages and at userinfo.
func TestSessionOfAUserWhoJoinsAGroupIsAskedForItsFactor(t *testing.T) {
	inBubble(t, requireMFAOfAdmins, func(t *testing.T, f *providertest.Fixture) {
		b := f.Browser()
		weak := b.MustJoin("alice", "atlas").AccessToken
		secret, _ := mustEnrol(t, b)
		f.MustAdmin(http.MethodPut, "/groups/admins/members/alice", "")

		if got := b.MustPromptNone("atlas").Get("error"); got != "login_required" {
			t.Errorf("got error %q with prompt=none, want login_required", got)
		}
		header := http.Header{"Authorization": {"Bearer " + weak}}
		refused := f.Browser().Do(http.MethodGet, "/userinfo", nil, header)
		challenge := refused.Header.Get("WWW-Authenticate")
		if refused.Status != http.StatusUnauthorized || !strings.Contains(challenge, `acr_values="mfa"`) {
			t.Errorf("got %d and %q at userinfo, want 401 and a challenge for mfa", refused.Status, challenge)
		}
		page := b.Get("/account/security")
		if !strings.Contains(page.Body, `name="code"`) || strings.Contains(page.Body, `type="password"`) {
			t.Fatalf("got %s, want the account page to ask for the code only", page.Body)
		}
		if page = b.Submit(page, "code", mustCode(t, secret, time.Now())); page.Path != "/account/security" {
			t.Errorf("got %d %s after the code, want the account page", page.Status, page.Path)
		}
		if !b.SignedIn("atlas") {
			t.Error("got the user asked again after the code")
		}

		f.MustAdmin(http.MethodDelete, "/groups/admins/members/alice", "")
		if got := f.Browser().Do(http.MethodGet, "/userinfo", nil, header); got.Status != http.StatusOK {
			t.Errorf("got %d at userinfo after the user left the group, want 200", got.Status)
		}
	})
}
