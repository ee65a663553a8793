package upstream_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
)

// mustRecheckedPair is mustPair with a silent check at every visit of /authorize, and alice signed in at the app. Logout
// tokens of the upstream are lost.
func mustRecheckedPair(t *testing.T) (nodes []*node, a *app, v *visitor, claims map[string]any) {
	t.Helper()
	nodes, a = mustPair(t, func(u *policy.Upstream) { u.Recheck = time.Nanosecond })
	nodes[1].intercept(func(w http.ResponseWriter, r *http.Request) bool {
		isLogoutToken := strings.HasSuffix(r.URL.Path, "/backchannel_logout")
		if isLogoutToken {
			w.WriteHeader(http.StatusBadGateway)
		}
		return isLogoutToken
	})
	v = newVisitor(t, nodes)
	claims = nodes[1].mustRedeem(t, a, v.atUpstream(nodes, a))
	v.steps = nil
	return nodes, a, v, claims
}

// visitedUpstream reports whether the visitor was sent to the upstream with prompt=none.
func (v *visitor) visitedUpstream(up *node) bool {
	for _, step := range v.steps {
		if strings.HasPrefix(step, up.issuer+"/authorize?") && strings.Contains(step, "prompt=none") {
			return true
		}
	}
	return false
}

// TestSilentRecheckKeepsTheSession: the user is still signed in at the upstream.
func TestSilentRecheckKeepsTheSession(t *testing.T) {
	nodes, a, v, claims := mustRecheckedPair(t)
	before := nodes[1].sessions(t)[0]
	again := nodes[1].mustRedeem(t, a, v.open(nodes[1].authorizeURL(a)))
	if !v.visitedUpstream(nodes[0]) {
		t.Fatalf("got the steps %v, want a silent request at the upstream", v.steps)
	}
	after := nodes[1].sessions(t)[0]
	if after.ID != before.ID || !after.Upstream.Checked.After(before.Upstream.Checked) ||
		after.Expires.After(before.Expires) {
		t.Errorf("got %+v after %+v, want the same session with a later check, and no longer one", after, before)
	}
	if again["sid"] != claims["sid"] || again["auth_time"] != claims["auth_time"] {
		t.Errorf("got sid %v and auth_time %v, want those of the sign-in, %v and %v",
			again["sid"], again["auth_time"], claims["sid"], claims["auth_time"])
	}
	v.steps, v.isFrame = nil, true
	if p := v.open(nodes[1].authorizeURL(a, "prompt", "none")); p.ResponseParams(t).Get("code") == "" {
		t.Error("got no code in a frame, where no upstream sees its cookies")
	}
	if v.visitedUpstream(nodes[0]) {
		t.Error("got a silent request in a frame, want none")
	}
}

// TestRefusedRecheckEndsTheSession: the session at the upstream ended and its logout token was lost. The next visit
// ends the session here, and notifies its apps.
func TestRefusedRecheckEndsTheSession(t *testing.T) {
	for _, prompt := range []string{"", "none"} {
		nodes, a, v, claims := mustRecheckedPair(t)
		nodes[0].MustAdmin(http.MethodPost, "/logouts", `{"user":"alice"}`)
		mustHaveSessions(t, 1, nodes[1])
		p := v.open(nodes[1].authorizeURL(a, "prompt", prompt))
		a.mustBeLoggedOut(t, claims["sid"])
		mustHaveSessions(t, 0, nodes[1])
		reports, _, err := nodes[1].Store.ListReports(t.Context(), storage.ReportFilter{}, storage.Page{})
		if err != nil || len(reports) != 1 || reports[0].Cause.Reason != storage.ReasonUpstreamRecheck {
			t.Errorf("got the reports %+v, %v, want one with reason upstream_recheck", reports, err)
		}
		if nodes[1].Active(a.id, text(claims["access_token"])) {
			t.Error("got an active access token after the refusal")
		}
		if prompt == "none" {
			if got := p.ResponseParams(t).Get("error"); got != "login_required" {
				t.Errorf("got %q for prompt=none, want login_required", got)
			}
		} else if !strings.HasPrefix(p.Path, nodes[1].issuer+"/login/") {
			t.Errorf("got %s, want the sign-in page", p.Path)
		}
	}
}

// TestRecheckFindsAnotherUser: another user has signed in at the upstream with the same browser.
func TestRecheckFindsAnotherUser(t *testing.T) {
	nodes, a, v, claims := mustRecheckedPair(t)
	nodes[0].MustAddUser("bob")
	top := nodes[0].mustAddApp(t, "other")
	p := v.open(nodes[0].authorizeURL(top, "prompt", "select_account"))
	p = v.submit(v.open(v.absolute(p, p.Link("other-account"))), "username", "bob", "password", providertest.Password)
	nodes[0].mustRedeem(t, top, p)
	v.open(nodes[1].authorizeURL(a))
	a.mustBeLoggedOut(t, claims["sid"])
	mustHaveSessions(t, 0, nodes[1])
}

// TestUpstreamThatFailsAtARecheckEndsNothing: its token endpoint fails, or it never leads the browser back.
func TestUpstreamThatFailsAtARecheckEndsNothing(t *testing.T) {
	nodes, a, v, _ := mustRecheckedPair(t)
	failing := "/token"
	nodes[0].intercept(func(w http.ResponseWriter, r *http.Request) bool {
		fails := r.URL.Path == failing
		if fails {
			w.WriteHeader(http.StatusInternalServerError)
		}
		return fails
	})
	if p := v.open(nodes[1].authorizeURL(a)); p.ResponseParams(t).Get("code") == "" {
		t.Errorf("got %d at %s, want a code although the upstream fails", p.Status, p.Path)
	}
	nodes, a, v, _ = mustRecheckedPair(t)
	nodes[0].intercept(func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusBadGateway)
		return true
	})
	v.open(nodes[1].authorizeURL(a)) // the browser shows the error of the upstream, and the user tries again
	if p := v.open(nodes[1].authorizeURL(a)); p.ResponseParams(t).Get("code") == "" {
		t.Errorf("got %d at %s, want a code although the upstream is down", p.Status, p.Path)
	}
	mustHaveSessions(t, 1, nodes[1])
}
