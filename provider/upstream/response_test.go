package upstream_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
)

// mustRefuseSignIn wants a sign-in page that names the problem, no session, and a sign-in by password that goes on.
func (v *visitor) mustRefuseSignIn(n *node, a *app, name string, p providertest.Page) {
	v.t.Helper()
	isSignIn := strings.HasPrefix(p.Path, n.issuer+"/login/") && p.Status == http.StatusOK
	if !isSignIn || !strings.Contains(p.Body, `id="problem"`) {
		v.t.Fatalf("%s: got %d at %s, want the sign-in page with the problem", name, p.Status, p.Path)
	}
	mustHaveSessions(v.t, 0, n)
	claims := n.mustRedeem(v.t, a, v.submit(p, "username", "alice", "password", password))
	if claims["sub"] != "sub-alice" {
		v.t.Errorf("%s: got sub %v by password, want sub-alice", name, claims["sub"])
	}
	n.MustAdmin(http.MethodPost, "/logouts", `{"all_users":true}`)
}

// changeTokens lets change rewrite the answers of the node's token endpoint.
func (n *node) changeTokens(t *testing.T, change func(answer map[string]any)) {
	n.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/token" {
			return false
		}
		recorder := httptest.NewRecorder()
		n.Provider.ServeHTTP(recorder, r)
		var answer map[string]any
		if err := json.Unmarshal(recorder.Body.Bytes(), &answer); err != nil {
			t.Error(err)
		}
		change(answer)
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			t.Error(err)
		}
		return true
	})
}

// TestWrongIDTokenSignsNobodyIn changes one thing of a good ID token at a time (Core §3.1.3.7).
func TestWrongIDTokenSignsNobodyIn(t *testing.T) {
	nodes, a := mustPair(t, nil)
	stranger := mustListen(t, "stranger")[0]
	stranger.mustStart(t, nil, nil)
	for name, change := range map[string]map[string]any{
		"another nonce":      {"nonce": "of another request"},
		"no nonce":           {"nonce": nil},
		"another issuer":     {"iss": stranger.issuer},
		"another audience":   {"aud": "other"},
		"another azp":        {"azp": "other"},
		"expired":            {"exp": time.Now().Add(-time.Hour).Unix()},
		"from the future":    {"iat": time.Now().Add(time.Hour).Unix()},
		"without sub":        {"sub": nil},
		"expired session":    {"session_expiry": time.Now().Add(-time.Minute).Unix()},
		"signed by another":  {},
		"answer without one": {},
	} {
		nodes[0].changeTokens(t, func(answer map[string]any) {
			raw, _ := answer["id_token"].(string)
			claims := providertest.MustReadClaims(t, raw)
			for claim, value := range change {
				if claims[claim] = value; value == nil {
					delete(claims, claim)
				}
			}
			signer := nodes[0].Ring
			if name == "signed by another" {
				signer = stranger.Ring
			}
			token, err := signer.Sign(keys.RS256, "JWT", claims)
			if err != nil {
				t.Error(err)
			}
			answer["id_token"] = token
			if name == "answer without one" {
				delete(answer, "id_token")
			}
		})
		v := newVisitor(t, nodes)
		v.mustRefuseSignIn(nodes[1], a, name, v.atUpstream(nodes, a))
	}
}

// mustStopAtCallback signs alice in at the upstream and returns the callback's URL, which the browser does not open.
func (v *visitor) mustStopAtCallback(nodes []*node, a *app) *url.URL {
	v.t.Helper()
	callback := ""
	nodes[1].intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/callback") {
			callback = nodes[1].issuer + r.URL.RequestURI()
		}
		return callback != ""
	})
	v.atUpstream(nodes, a)
	nodes[1].intercept(nil)
	u, err := url.Parse(callback)
	if err != nil || callback == "" {
		v.t.Fatalf("got the callback %q, %v", callback, err)
	}
	return u
}

// TestResponseOfAnotherIssuerIsRefused changes and removes iss (RFC 9207 §2.4), which the upstream announces.
func TestResponseOfAnotherIssuerIsRefused(t *testing.T) {
	nodes, a := mustPair(t, nil)
	exchanges := 0
	nodes[0].intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/token" {
			exchanges++
		}
		return false
	})
	for _, iss := range []string{"https://other.example", ""} {
		v := newVisitor(t, nodes)
		callback := v.mustStopAtCallback(nodes, a)
		q := callback.Query()
		q.Set("iss", iss)
		callback.RawQuery = q.Encode()
		v.mustRefuseSignIn(nodes[1], a, "iss "+iss, v.open(callback.String()))
	}
	if exchanges > 0 {
		t.Errorf("got %d codes sent to the token endpoint, want none", exchanges)
	}
}

// TestReplayedCallbackStartsNoSession opens a callback again after a sign-out, and its code with the state of another
// request.
func TestReplayedCallbackStartsNoSession(t *testing.T) {
	nodes, a := mustPair(t, nil)
	v := newVisitor(t, nodes)
	used := v.mustStopAtCallback(nodes, a)
	nodes[1].mustRedeem(t, a, v.open(used.String()))
	nodes[1].MustAdmin(http.MethodPost, "/logouts", `{"all_users":true}`)
	v.mustRefuseSignIn(nodes[1], a, "the same callback", v.open(used.String()))

	fresh := v.mustStopAtCallback(nodes, a)
	q := fresh.Query()
	q.Set("code", used.Query().Get("code"))
	fresh.RawQuery = q.Encode()
	v.mustRefuseSignIn(nodes[1], a, "a used code", v.open(fresh.String()))
	foreign := newVisitor(t, nodes).mustStopAtCallback(nodes, a)
	q.Set("code", foreign.Query().Get("code"))
	fresh.RawQuery = q.Encode()
	v.mustRefuseSignIn(nodes[1], a, "the code of another browser", v.open(fresh.String()))
}

// TestPrivateKeyJWTAuthenticatesAtTheUpstream: the upstream finds Curfew's keys at its jwks_uri (RFC 7523).
func TestPrivateKeyJWTAuthenticatesAtTheUpstream(t *testing.T) {
	nodes := mustListen(t, "top", "bottom")
	nodes[0].mustStart(t, nil, nil)
	nodes[1].mustStart(t, nodes[:1], func(u *policy.Upstream) { u.Auth, u.Secret = "private_key_jwt", "" })
	nodes[0].mustAddDownstream(nodes[1], func(m *storage.Metadata) {
		m.TokenEndpointAuthMethod = "private_key_jwt"
		m.JWKSURI = nodes[1].issuer + "/jwks"
	})
	a := nodes[1].mustAddApp(t, "shop")
	claims := newVisitor(t, nodes).mustSignIn(nodes, a)
	if claims["sub"] != "sub-alice" {
		t.Errorf("got sub %v, want sub-alice", claims["sub"])
	}
}

// TestBrokenUpstreamStopsNoOtherSignIn breaks one endpoint of the upstream at a time.
func TestBrokenUpstreamStopsNoOtherSignIn(t *testing.T) {
	for _, c := range []struct{ path, answer string }{
		{"/.well-known/openid-configuration", ""},
		{"/.well-known/openid-configuration", `{"issuer":"https://other.example"}`},
		{"/.well-known/openid-configuration", "<html>"},
		{"/jwks", ""},
		{"/jwks", `{"keys":[]}`},
		{"/token", ""},
		{"/token", "<html>"},
	} {
		nodes, a := mustPair(t, nil)
		nodes[0].intercept(func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != c.path {
				return false
			}
			w.Header().Set("Content-Type", "application/json")
			if c.answer == "" {
				w.WriteHeader(http.StatusInternalServerError)
			}
			_, _ = w.Write([]byte(c.answer)) // an error means that the other side has disconnected
			return true
		})
		v := newVisitor(t, nodes)
		v.mustRefuseSignIn(nodes[1], a, c.path+" "+c.answer, v.atUpstream(nodes, a))
	}
}

// TestUpstreamWithAWrongCertificateIsUnavailable has an upstream whose certificate no known authority has signed.
func TestUpstreamWithAWrongCertificateIsUnavailable(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	nodes := mustListen(t, "top", "bottom")
	nodes[1].mustStart(t, nodes[:1], func(u *policy.Upstream) { u.Issuer = server.URL })
	a := nodes[1].mustAddApp(t, "shop")
	v := newVisitor(t, nodes[1:])
	p := v.click(v.open(nodes[1].authorizeURL(a)), "upstream-top")
	v.mustRefuseSignIn(nodes[1], a, "wrong certificate", p)
}
