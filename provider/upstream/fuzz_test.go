package upstream_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/provider/keys"
)

// signText signs a text as the claims of a token of this node. ok is false if the text is not JSON.
func (n *node) signText(typ, text string) (token string, ok bool) {
	token, err := n.Ring.Sign(keys.ES256, typ, json.RawMessage(text))
	return token, err == nil
}

// FuzzLogoutTokenOfAnUpstream: whatever the upstream signs, and whatever else arrives, is accepted or refused as a
// mistake of the caller. A session ends only if the claims name its sid or sub.
func FuzzLogoutTokenOfAnUpstream(f *testing.F) {
	nodes := mustChain(f, "top", "bottom")
	a := nodes[1].mustAddApp(f, "shop")
	newVisitor(f, nodes).mustSignIn(nodes, a)
	session := nodes[1].sessions(f)[0].Upstream
	now := time.Now().Unix()
	good := func(more map[string]any) string {
		claims := map[string]any{
			"iss":    nodes[0].issuer,
			"sid":    "other",
			"aud":    "bottom",
			"iat":    now,
			"exp":    now + 3600,
			"jti":    "1",
			"events": map[string]any{logoutEvent: map[string]any{}},
		}
		for name, value := range more {
			claims[name] = value
		}
		text, err := json.Marshal(claims)
		if err != nil {
			f.Fatal(err)
		}
		return string(text)
	}
	for _, seed := range []string{
		good(nil),
		good(map[string]any{"sub": strings.Repeat("x", 1000)}),
		good(map[string]any{"sid": []any{1}}),
		good(map[string]any{"iat": 1e300, "exp": 1e300}),
		good(map[string]any{"iat": -1e300}),
		good(map[string]any{"exp": 1e15, "jti": "\u0000"}),
		good(map[string]any{"aud": []any{nil}}),
		good(map[string]any{"events": []any{}}),
		"[]", "null", "{}", "e30.e30.", "", "\xff",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, session.SID) || strings.Contains(text, session.Subject) {
			t.Skip("may name the session")
		}
		tokens := []string{text}
		if token, ok := nodes[0].signText("logout+jwt", text); ok {
			tokens = append(tokens, token)
		}
		for _, token := range tokens {
			if status := nodes[1].post(t, nodes[0], token); status != http.StatusOK && status != http.StatusBadRequest {
				t.Errorf("got %d for the claims %s, want 200 or 400", status, text)
			}
		}
		mustHaveSessions(t, 1, nodes[1])
	})
}

// FuzzIDTokenOfAnUpstream: whatever claims the upstream signs and repeats at UserInfo, the browser gets an answer that is not a failure of
// Curfew. It gets no code unless issuer, audience and nonce are the expected ones.
func FuzzIDTokenOfAnUpstream(f *testing.F) {
	nodes := mustChain(f, "top", "bottom")
	a := nodes[1].mustAddApp(f, "shop")
	var text, nonce string // of the sign-in under way: one process runs its inputs one by one
	var isJSON bool
	nodes[0].intercept(func(w http.ResponseWriter, r *http.Request) bool {
		switch r.URL.Path {
		case "/authorize":
			q := r.URL.Query()
			nonce = q.Get("nonce")
			answer := url.Values{"code": {"c"}, "state": {q.Get("state")}, "iss": {nodes[0].issuer}}
			http.Redirect(w, r, q.Get("redirect_uri")+"?"+answer.Encode(), http.StatusSeeOther)
			return true
		case "/token":
			var token string
			token, isJSON = nodes[0].signText("JWT", strings.ReplaceAll(text, "NONCE", nonce))
			w.Header().Set("Content-Type", "application/json")
			answer := map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": token}
			_ = json.NewEncoder(w).Encode(answer) // fails only if Curfew does not read on
			return true
		case "/userinfo":
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(text)) // fails only if Curfew does not read on
			return true
		}
		return false
	})
	now := time.Now().Unix()
	good := func(more map[string]any) string {
		claims := map[string]any{
			"iss":   nodes[0].issuer,
			"sub":   "somebody",
			"aud":   "bottom",
			"iat":   now,
			"exp":   now + 3600,
			"nonce": "NONCE",
		}
		for name, value := range more {
			claims[name] = value
		}
		text, err := json.Marshal(claims)
		if err != nil {
			f.Fatal(err)
		}
		return string(text)
	}
	for _, seed := range []string{
		good(nil),
		good(map[string]any{"session_expiry": 1e15, "auth_time": 1e15}),
		good(map[string]any{"session_expiry": 1e300, "auth_time": -1e300}),
		good(map[string]any{"session_expiry": "soon"}),
		good(map[string]any{"preferred_username": "alice", "email": 1, "email_verified": "yes"}),
		good(map[string]any{"preferred_username": strings.Repeat("x", 5000), "name": "\u202e\u0000"}),
		good(map[string]any{"sub": "\u0000"}),
		good(map[string]any{"sid": strings.Repeat("s", 300)}),
		good(map[string]any{"amr": "pwd", "acr": 1}),
		good(map[string]any{"iat": 1e300, "exp": 1e300}),
		good(map[string]any{"nonce": "other"}),
		"[]", "null", "{}",
	} {
		f.Add(seed)
	}
	goodClaims := good(nil)
	f.Fuzz(func(t *testing.T, input string) {
		text, isJSON = input, false
		v := newVisitor(t, nodes)
		p := v.click(v.open(nodes[1].authorizeURL(a)), "upstream-top")
		if !isJSON {
			return
		}
		if p.Status >= http.StatusInternalServerError {
			t.Errorf("got %d for the claims %s:\n%s", p.Status, text, p.Body)
		}
		var claims struct{ Iss, Nonce string }
		_ = json.Unmarshal([]byte(text), &claims) // leaves out what is no text
		isExpected := claims.Iss == nodes[0].issuer && claims.Nonce == "NONCE"
		hasCode := strings.Contains(p.Header.Get("Location"), "code=")
		if hasCode && !isExpected || !hasCode && text == goodClaims {
			t.Errorf("got a code: %v (%d at %s), for the claims %s", hasCode, p.Status, p.Path, text)
		}
	})
}
