package upstream_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/curfew-id/curfew/provider/policy"
)

// TestSignOutEndsTheSessionAtTheUpstream signs out here, with each value of the setting logout.
func TestSignOutEndsTheSessionAtTheUpstream(t *testing.T) {
	for _, setting := range []string{policy.UpstreamLogoutAsk, policy.UpstreamLogoutAlways, policy.UpstreamLogoutNever} {
		t.Run(setting, func(t *testing.T) {
			nodes, a := mustPair(t, func(u *policy.Upstream) { u.Logout = setting })
			v := newVisitor(t, nodes)
			claims := nodes[1].mustRedeem(t, a, v.atUpstream(nodes, a))
			p := v.submit(v.open(nodes[1].issuer+"/end_session"), "scope", "session")
			a.mustBeLoggedOut(t, claims["sid"])
			mustHaveSessions(t, 0, nodes[1])
			offered := strings.Contains(p.Body, "sign-out-upstream")
			switch setting {
			case policy.UpstreamLogoutNever:
				if offered {
					t.Error("got the offer to sign out at the upstream, want none")
				}
				mustHaveSessions(t, 1, nodes[0])
				return
			case policy.UpstreamLogoutAsk:
				if !offered {
					t.Fatalf("got %d at %s, want the offer to sign out at the upstream", p.Status, p.Path)
				}
				mustHaveSessions(t, 1, nodes[0])
				p = v.click(p, "sign-out-upstream")
			}
			// The upstream shows its own signed-out page, or leads back at once.
			mustHaveSessions(t, 0, nodes[0])
			if link := p.Link("continue"); strings.HasPrefix(p.Path, nodes[0].issuer) && link != "" {
				p = v.open(link)
			}
			if !strings.HasPrefix(p.Path, nodes[1].issuer+"/signed-out/") || p.Status != http.StatusOK {
				t.Errorf("got %d at %s, want the signed-out page here", p.Status, p.Path)
			}
			if strings.Contains(p.Body, "sign-out-upstream") {
				t.Error("got the offer again after the upstream's session has ended")
			}
		})
	}
}

// TestUpstreamThatDoesNotAnswerKeepsNoOneSignedIn stops the upstream before a sign-out that would lead there.
func TestUpstreamThatDoesNotAnswerKeepsNoOneSignedIn(t *testing.T) {
	nodes, a := mustPair(t, func(u *policy.Upstream) { u.Logout = policy.UpstreamLogoutAlways })
	v := newVisitor(t, nodes)
	claims := nodes[1].mustRedeem(t, a, v.atUpstream(nodes, a))
	nodes[0].intercept(func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusInternalServerError)
		return true
	})
	v.submit(v.open(nodes[1].issuer+"/end_session"), "scope", "session")
	a.mustBeLoggedOut(t, claims["sid"])
	mustHaveSessions(t, 0, nodes[1])
}

// TestReturnWithoutAStateOfThisBrowserShowsAPageOnly opens the return URL with a foreign state.
func TestReturnWithoutAStateOfThisBrowserShowsAPageOnly(t *testing.T) {
	nodes, _ := mustPair(t, nil)
	p := newVisitor(t, nodes).open(nodes[1].issuer + "/upstream/top/signed_out?state=foreign")
	if p.Status != http.StatusOK || p.Link("continue") != "" {
		t.Errorf("got %d with a link to %q, want a page without one", p.Status, p.Link("continue"))
	}
}
