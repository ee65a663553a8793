package upstream_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/provider/keys"
)

const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// post posts a logout token and returns the status of the answer.
func (n *node) post(t testing.TB, up *node, token string) int {
	t.Helper()
	form := url.Values{"logout_token": {token}}
	target := n.issuer + "/upstream/" + up.id + "/backchannel_logout"
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, target, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if got := response.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("got Cache-Control %q, want no-store", got)
	}
	return response.StatusCode
}

// TestForgedLogoutTokenEndsNothing changes one thing of a good logout token at a time. The token without a change ends
// the session, once.
func TestForgedLogoutTokenEndsNothing(t *testing.T) {
	nodes := mustChain(t, "top", "bottom")
	stranger := mustListen(t, "stranger")[0]
	stranger.mustStart(t, nil, nil)
	a := nodes[1].mustAddApp(t, "shop")
	newVisitor(t, nodes).mustSignIn(nodes, a)
	session := nodes[1].sessions(t)[0].Upstream
	now := time.Now()
	good := map[string]any{
		"iss":    nodes[0].issuer,
		"sub":    session.Subject,
		"sid":    session.SID,
		"aud":    "bottom",
		"iat":    now.Unix(),
		"exp":    now.Add(2 * time.Minute).Unix(),
		"jti":    "the only one",
		"events": map[string]any{logoutEvent: map[string]any{}},
	}
	sign := func(n *node, change map[string]any) string {
		claims := map[string]any{}
		for name, value := range good {
			claims[name] = value
		}
		for name, value := range change {
			if claims[name] = value; value == nil {
				delete(claims, name)
			}
		}
		token, err := n.Ring.Sign(keys.RS256, "logout+jwt", claims)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	forged := map[string]string{
		"signed by another provider": sign(stranger, nil),
		"another issuer":             sign(nodes[0], map[string]any{"iss": stranger.issuer}),
		"another audience":           sign(nodes[0], map[string]any{"aud": "other"}),
		"expired":                    sign(nodes[0], map[string]any{"exp": now.Add(-time.Minute).Unix()}),
		"from the future":            sign(nodes[0], map[string]any{"iat": now.Add(time.Hour).Unix()}),
		"without the event":          sign(nodes[0], map[string]any{"events": map[string]any{"other": map[string]any{}}}),
		"with a nonce":               sign(nodes[0], map[string]any{"nonce": "n"}),
		"without sub and sid":        sign(nodes[0], map[string]any{"sub": nil, "sid": nil}),
		"without jti":                sign(nodes[0], map[string]any{"jti": nil}),
		"unsigned":                   strings.Join(append(strings.Split(sign(nodes[0], nil), ".")[:2], ""), "."),
		"no token":                   "",
	}
	for name, token := range forged {
		if status := nodes[1].post(t, nodes[0], token); status != http.StatusBadRequest {
			t.Errorf("%s: got %d, want 400", name, status)
		}
		mustHaveSessions(t, 1, nodes[1])
	}
	for name, change := range map[string]map[string]any{
		"the sid of another session":          {"sid": "other", "jti": "1"},
		"the sid with another user's account": {"sub": "other", "jti": "2"},
	} {
		if status := nodes[1].post(t, nodes[0], sign(nodes[0], change)); status != http.StatusOK {
			t.Errorf("%s: got %d, want 200", name, status)
		}
		mustHaveSessions(t, 1, nodes[1])
	}
	token := sign(nodes[0], nil)
	if status := nodes[1].post(t, nodes[0], token); status != http.StatusOK {
		t.Fatalf("got %d for a good token, want 200", status)
	}
	mustHaveSessions(t, 0, nodes[1])
	if status := nodes[1].post(t, nodes[0], token); status != http.StatusBadRequest {
		t.Errorf("got %d for a replayed token, want 400", status)
	}
}

// TestLogoutTokenWithoutSIDEndsAllSessionsOfTheAccount ends those that came from there, and no others.
func TestLogoutTokenWithoutSIDEndsAllSessionsOfTheAccount(t *testing.T) {
	nodes := mustChain(t, "top", "bottom")
	a := nodes[1].mustAddApp(t, "shop")
	newVisitor(t, nodes).mustSignIn(nodes, a)
	newVisitor(t, nodes).mustSignIn(nodes, a)
	byPassword := newVisitor(t, nodes)
	p := byPassword.submit(byPassword.open(nodes[1].authorizeURL(a)), "username", "alice", "password", password)
	nodes[1].mustRedeem(t, a, p)
	mustHaveSessions(t, 3, nodes[1])
	nodes[0].MustAdmin(http.MethodPost, "/logouts", `{"user":"alice"}`)
	<-a.logouts
	<-a.logouts
	left := nodes[1].sessions(t)
	if len(left) != 1 || !left[0].Upstream.IsZero() {
		t.Errorf("got the sessions %+v, want the one by password", left)
	}
}

// TestFrontchannelLogoutEndsTheSession loads the URL that an upstream puts into an iframe.
func TestFrontchannelLogoutEndsTheSession(t *testing.T) {
	nodes := mustChain(t, "top", "bottom")
	a := nodes[1].mustAddApp(t, "shop")
	claims := newVisitor(t, nodes).mustSignIn(nodes, a)
	sid := nodes[1].sessions(t)[0].Upstream.SID
	frame := nodes[1].issuer + "/upstream/top/frontchannel_logout?"
	anyone := newVisitor(t, nodes)
	for name, query := range map[string]url.Values{
		"without sid":    {"iss": {nodes[0].issuer}},
		"without iss":    {"sid": {sid}},
		"another issuer": {"iss": {"https://other.example"}, "sid": {sid}},
	} {
		if p := anyone.open(frame + query.Encode()); p.Status != http.StatusBadRequest {
			t.Errorf("%s: got %d, want 400", name, p.Status)
		}
		mustHaveSessions(t, 1, nodes[1])
	}
	anyone.open(frame + url.Values{"iss": {nodes[0].issuer}, "sid": {"other"}}.Encode())
	mustHaveSessions(t, 1, nodes[1])
	p := anyone.open(frame + url.Values{"iss": {nodes[0].issuer}, "sid": {sid}}.Encode())
	if p.Status != http.StatusOK {
		t.Errorf("got %d, want 200", p.Status)
	}
	a.mustBeLoggedOut(t, claims["sid"])
	mustHaveSessions(t, 0, nodes[1])
}
