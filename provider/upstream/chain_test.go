package upstream_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
)

// TestUserSignsInThroughAChain signs in at an app behind three providers, by the password at the first one.
func TestUserSignsInThroughAChain(t *testing.T) {
	nodes := mustChain(t, "top", "middle", "bottom")
	a := nodes[2].mustAddApp(t, "shop")
	v := newVisitor(t, nodes)
	claims := v.mustSignIn(nodes, a)
	mustHaveSessions(t, 1, nodes...)
	session := nodes[2].sessions(t)[0]
	if session.Upstream.Issuer != nodes[1].issuer || session.Upstream.SID == "" || len(session.Upstream.IDToken) == 0 {
		t.Errorf("got the upstream session %+v, want one of %s with sid and ID token", session.Upstream, nodes[1].issuer)
	}
	if claims["sub"] != session.Subject || claims["acr"] != "1" {
		t.Errorf("got sub %v and acr %v, want %s and 1", claims["sub"], claims["acr"], session.Subject)
	}
	if strings.Contains(string(session.Upstream.IDToken), "eyJ") {
		t.Error("the ID token of the upstream is stored in the clear")
	}
	again := newVisitor(t, nodes).mustSignIn(nodes, a)
	if again["sub"] != claims["sub"] {
		t.Errorf("got sub %v for the second sign-in, want the same user %v", again["sub"], claims["sub"])
	}
}

// TestUpstreamLogoutReachesTheEndOfTheChain signs out at the first provider.
func TestUpstreamLogoutReachesTheEndOfTheChain(t *testing.T) {
	nodes := mustChain(t, "top", "middle", "bottom")
	a := nodes[2].mustAddApp(t, "shop")
	v := newVisitor(t, nodes)
	claims := v.mustSignIn(nodes, a)
	other := newVisitor(t, nodes)
	other.mustSignIn(nodes, a)
	v.submit(v.open(nodes[0].issuer+"/end_session"), "scope", "session")
	a.mustBeLoggedOut(t, claims["sid"])
	mustHaveSessions(t, 1, nodes...) // the one in the other browser
	if nodes[2].Active(a.id, text(claims["access_token"])) {
		t.Error("got an active access token after the logout at the upstream")
	}
	reports, _, err := nodes[2].Store.ListReports(t.Context(), storage.ReportFilter{}, storage.Page{})
	if err != nil || len(reports) != 1 {
		t.Fatalf("got %d reports, %v, want 1", len(reports), err)
	}
	if cause := reports[0].Cause; cause.Reason != storage.ReasonUpstreamLogout || cause.By != "upstream:middle" {
		t.Errorf("got the cause %+v, want a logout by upstream:middle", cause)
	}
	a.mustNotBeLoggedOut(t)
}

// TestLostAndDelayedLogoutTokenStillEndsTheChain loses the first logout token and holds the second one.
func TestLostAndDelayedLogoutTokenStillEndsTheChain(t *testing.T) {
	nodes := mustChain(t, "top", "middle", "bottom")
	a := nodes[2].mustAddApp(t, "shop")
	v := newVisitor(t, nodes)
	claims := v.mustSignIn(nodes, a)
	attempts, held, release := 0, make(chan struct{}), make(chan struct{})
	nodes[1].intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/backchannel_logout") {
			return false
		}
		attempts++
		if attempts == 1 {
			w.WriteHeader(http.StatusBadGateway)
			return true
		}
		close(held)
		<-release
		return false
	})
	v.submit(v.open(nodes[0].issuer+"/end_session"), "scope", "session")
	<-held
	mustHaveSessions(t, 1, nodes[1:]...)
	close(release)
	a.mustBeLoggedOut(t, claims["sid"])
	mustHaveSessions(t, 0, nodes...)
}

// TestSessionExpiryOfTheUpstreamLimitsTheSession checks the end of a session, and of the tokens in it.
func TestSessionExpiryOfTheUpstreamLimitsTheSession(t *testing.T) {
	nodes := mustChain(t, "top", "bottom")
	nodes[0].MustChangeClient("bottom", func(c *storage.Client) { c.SessionExpiry = 1800 })
	a := nodes[1].mustAddApp(t, "shop")
	newVisitor(t, nodes).mustSignIn(nodes, a)
	session := nodes[1].sessions(t)[0]
	left := time.Until(session.Expires)
	if session.Upstream.Expires.IsZero() || left > 30*time.Minute || left < 29*time.Minute {
		t.Errorf("got a session that ends in %v, want the upstream's half an hour", left)
	}
}

// TestCycleOfProvidersEnds lets two providers lead to each other by hints.
func TestCycleOfProvidersEnds(t *testing.T) {
	nodes := mustListen(t, "left", "right")
	for i, n := range nodes {
		n.mustStart(t, nodes[1-i:2-i], withDomain("acme.example"))
	}
	nodes[0].mustAddDownstream(nodes[1], nil)
	nodes[1].mustAddDownstream(nodes[0], nil)
	a := nodes[0].mustAddApp(t, "shop")
	v := newVisitor(t, nodes)
	p := v.open(nodes[0].authorizeURL(a, "login_hint", "alice@acme.example"))
	if p.Status != http.StatusOK || !strings.Contains(p.Body, `id="password"`) || !strings.HasPrefix(p.Path, nodes[0].issuer) {
		t.Fatalf("got %d at %s, want the sign-in page of the first provider", p.Status, p.Path)
	}
	if n := len(v.steps); n > 8 {
		t.Errorf("got %d steps, want few: %v", n, v.steps)
	}
	// Clicking on and on ends too: no browser leaves for an upstream many times without coming back.
	for clicks := 0; !strings.Contains(p.Body, `id="problem"`); clicks++ {
		if clicks > 20 {
			t.Fatal("got more than 20 rounds of the cycle")
		}
		id := "upstream-right"
		if strings.HasPrefix(p.Path, nodes[1].issuer) {
			id = "upstream-left"
		}
		p = v.click(p, id)
	}
}

// TestHintLeadsToTheUpstreamOfTheDomain opens no sign-in page of the provider itself.
func TestHintLeadsToTheUpstreamOfTheDomain(t *testing.T) {
	nodes := mustListen(t, "top", "bottom")
	nodes[0].mustStart(t, nil, nil)
	nodes[1].mustStart(t, nodes[:1], withDomain("acme.example"))
	nodes[0].mustAddDownstream(nodes[1], nil)
	a := nodes[1].mustAddApp(t, "shop")
	for _, hint := range [][2]string{{"domain_hint", "ACME.example"}, {"login_hint", "alice@acme.example"}} {
		p := newVisitor(t, nodes).open(nodes[1].authorizeURL(a, hint[0], hint[1]))
		if !strings.HasPrefix(p.Path, nodes[0].issuer+"/login/") {
			t.Errorf("%s: got %s, want the sign-in page of the upstream", hint[0], p.Path)
		}
	}
	p := newVisitor(t, nodes).open(nodes[1].authorizeURL(a, "login_hint", "alice@other.example"))
	if !strings.HasPrefix(p.Path, nodes[1].issuer+"/login/") {
		t.Errorf("got %s for another domain, want the sign-in page here", p.Path)
	}
}

// TestCallbackOfAnotherBrowserOrUpstreamIsRefused uses a callback URL that another browser got, and one at the path of
// another upstream.
func TestCallbackOfAnotherBrowserOrUpstreamIsRefused(t *testing.T) {
	nodes := mustListen(t, "top", "other", "bottom")
	nodes[0].mustStart(t, nil, nil)
	nodes[1].mustStart(t, nil, nil)
	nodes[2].mustStart(t, nodes[:2], nil)
	nodes[0].mustAddDownstream(nodes[2], nil)
	a := nodes[2].mustAddApp(t, "shop")
	v := newVisitor(t, nodes)
	var callback string
	nodes[2].intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		isFirst := strings.HasSuffix(r.URL.Path, "/callback") && callback == ""
		if isFirst { // the provider never sees it
			callback = nodes[2].issuer + r.URL.RequestURI()
		}
		return isFirst
	})
	p := v.click(v.open(nodes[2].authorizeURL(a)), "upstream-top")
	v.submit(p, "username", "alice", "password", providertest.Password)
	if callback == "" {
		t.Fatal("got no callback")
	}
	if p := newVisitor(t, nodes).open(callback); p.Status != http.StatusBadRequest {
		t.Errorf("got %d for another browser, want 400", p.Status)
	}
	if p := v.open(strings.Replace(callback, "/upstream/top/", "/upstream/other/", 1)); p.Status != http.StatusBadRequest {
		t.Errorf("got %d at the path of another upstream, want 400", p.Status)
	}
	mustHaveSessions(t, 0, nodes[2])
	if p := v.open(callback); p.ResponseParams(t).Get("code") == "" {
		t.Errorf("got %d %s for the browser itself, want the app", p.Status, p.Header.Get("Location"))
	}
	mustHaveSessions(t, 1, nodes[2])
}

// TestLogoutWhileACallbackIsInFlightStartsNoSession ends the session at the upstream after it has issued the ID token,
// and before the session here is stored.
func TestLogoutWhileACallbackIsInFlightStartsNoSession(t *testing.T) {
	nodes := mustChain(t, "top", "bottom")
	a := nodes[1].mustAddApp(t, "shop")
	ended := make(chan struct{})
	nodes[0].intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/token" {
			return false
		}
		nodes[0].Provider.ServeHTTP(w, r) // the answer is on its way when the user signs out
		nodes[0].MustAdmin(http.MethodPost, "/logouts", `{"user":"alice"}`)
		<-ended
		return true
	})
	nodes[1].intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/backchannel_logout") {
			nodes[1].Provider.ServeHTTP(w, r)
			close(ended)
			return true
		}
		return false
	})
	v := newVisitor(t, nodes)
	p := v.click(v.open(nodes[1].authorizeURL(a)), "upstream-top")
	p = v.submit(p, "username", "alice", "password", providertest.Password)
	if !strings.Contains(p.Body, `id="password"`) || p.Header.Get("Location") != "" {
		t.Errorf("got %d at %s, want the sign-in page", p.Status, p.Path)
	}
	mustHaveSessions(t, 0, nodes[1])
}

// TestLongStatePassesTheUpstream: the longest state that an app may send does not make the request to the upstream
// longer than the upstream accepts.
func TestLongStatePassesTheUpstream(t *testing.T) {
	nodes := mustChain(t, "top", "middle", "bottom")
	a := nodes[2].mustAddApp(t, "shop")
	for _, length := range []int{8000, 10_500} {
		v := newVisitor(t, nodes)
		state := strings.Repeat("s", length)
		page := v.open(nodes[2].authorizeURL(a, "state", state))
		page = v.click(v.click(page, "upstream-middle"), "upstream-top")
		page = v.submit(page, "username", "alice", "password", providertest.Password)
		if got := page.ResponseParams(t); got.Get("code") == "" || got.Get("state") != state {
			t.Errorf("got error %q and a state of %d characters, want a code and %d",
				got.Get("error"), len(got.Get("state")), length)
		}
	}
}
